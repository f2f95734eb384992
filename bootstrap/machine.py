"""How this machine fetches packages, gathered for the container and for mkosi inside it."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from bootstrap import apt_options, apt_sources, certificates, pip_settings, proxies
from bootstrap.programs import Programs

# Where the toolkit looks for these files inside its image.
INSIDE: Final = PurePosixPath("/etc/ci-toolkit/machine")
_BUNDLE: Final = "ca-certificates.crt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """`files` by their name below INSIDE; `own_certificates` are those that Debian does not bring."""

    mirror: str | None
    files: Mapping[str, bytes]
    own_certificates: tuple[str, ...]
    proxies: Mapping[str, str]
    host_network: bool
    left_behind: tuple[str, ...]

    def digest(self) -> str:
        """Return a SHA-256 over all that a container is given."""
        summary = hashlib.sha256()
        for name, content in sorted(self.files.items()):
            summary.update(f"{name}\0{len(content)}\0".encode() + content)
        summary.update("".join(self.own_certificates).encode())
        return summary.hexdigest()


@dataclass(slots=True)
class _Luggage:
    """Files of this machine that settings point to, each with its new path inside."""

    files: dict[str, bytes] = field(default_factory=dict)
    certificates: list[str] = field(default_factory=list)

    def take(self, path: str) -> str | None:
        try:
            content = Path(path).read_bytes()
        except OSError:
            return None
        if len(certificates.split(content.decode("ascii", "replace"))) > 1:
            self.certificates.append(path)
            return os.fspath(INSIDE / _BUNDLE)
        name = f"files/{hashlib.sha256(path.encode()).hexdigest()[:8]}-{Path(path).name}"
        self.files[name] = content
        return os.fspath(INSIDE / name)


def gather(programs: Programs, environ: Mapping[str, str], python: Path, scratch: Path) -> Machine:
    """Read the settings of this machine; PYTHON is one that has pip, SCRATCH a directory for a moment's file."""
    found = proxies.proxies(environ)
    luggage = _Luggage()
    options = apt_options.with_proxies(_apt_options(programs, scratch), found)
    pip = pip_settings.parse(programs.ask([python, "-m", "pip", "config", "list"]).output)
    carried = pip_settings.carry(pip, luggage.take)
    apt_conf = apt_options.render(options, lambda path: luggage.take(path) or path)
    bundle = certificates.trusted(environ, luggage.certificates)
    mirror = apt_sources.find_mirror()
    texts = {
        "apt.conf": apt_conf,
        "mirror": f"{mirror}\n" if mirror else "",
        "pip.conf": carried.text,
        _BUNDLE: "".join(bundle),
        "environment": "".join(f"{name}={value}\n" for name, value in proxies.both_cases(found).items()),
    }
    spoken_to = [
        mirror or "",
        *pip_settings.locations(pip),
        *(value for name, value in found.items() if name != "no_proxy"),
    ]
    spoken_to += [option.value for option in options if "::proxy" in option.name.lower()]
    return Machine(
        mirror=mirror,
        files={**{name: text.encode() for name, text in texts.items() if text}, **luggage.files},
        own_certificates=certificates.beyond(bundle, certificates.stock()),
        proxies=found,
        host_network=proxies.on_this_machine(spoken_to),
        left_behind=carried.left_behind,
    )


def write(machine: Machine, directory: Path) -> None:
    """Make DIRECTORY hold exactly the files of MACHINE, for its owner's eyes, since a proxy may hold a password."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    for path in sorted(directory.rglob("*"), reverse=True):
        if path.is_file() and os.fspath(path.relative_to(directory)) not in machine.files:
            path.unlink()
    for name, content in machine.files.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)
        path.chmod(0o600)


def _apt_options(programs: Programs, scratch: Path) -> tuple[apt_options.Option, ...]:
    if programs.find("apt-config") is None:
        return ()
    bare = scratch / "no-configuration.conf"
    bare.write_text(apt_options.NO_CONFIGURATION, encoding="utf-8")
    defaults = programs.ask(["env", f"APT_CONFIG={bare}", "apt-config", "dump"])
    bare.unlink()
    return apt_options.of_machine(programs.ask(["apt-config", "dump"]).output, defaults.output)
