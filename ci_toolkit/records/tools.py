"""The versions of the programs that decide the bits, asked where the image was built."""

import shlex
from pathlib import Path
from typing import Final

from ci_toolkit.host import tools
from ci_toolkit.process import MINIMAL, Command, Sandbox

# Package managers are asked only where they install: some need seconds for their version in an emulated machine.
_MANAGERS: Final = {
    "pacman": ("arch",),
    "apt": ("debian", "kali", "ubuntu"),
    "dnf": ("fedora", "centos", "rhel", "rhel-ubi", "alma", "rocky", "mageia", "openmandriva", "azure"),
    "zypper": ("opensuse",),
}
_LEFT_OUT: Final = frozenset(("git",))
_HEAD: Final = "ci-toolkit tool "
_SECONDS: Final = 120.0


def ask(sandbox: Sandbox, distribution: str) -> tuple[tuple[str, str], ...]:
    """Return name and version of each program that is there and tells its version, in the order of host.tools."""
    asked = [
        tool for tool in (tools.MKOSI, *tools.TOOLS) if tool.version is not None and _counts(tool.name, distribution)
    ]
    script = "\n".join(f"echo {shlex.quote(_HEAD + tool.name)}; {shlex.join(tool.argv)} 2>&1" for tool in asked)
    command = Command(argv=("sh", "-c", script), environment={**MINIMAL, "LOGNAME": "builder"}, directory=Path("/"))
    said = sandbox.run(command, timeout_seconds=_SECONDS).stdout
    answers = dict(part.partition("\n")[::2] for part in f"\n{said}".split(f"\n{_HEAD}")[1:])
    versions = ((tool.name, tools.find_version(tool, answers.get(tool.name, ""))) for tool in asked)
    return tuple((name, version) for name, version in versions if version is not None)


def _counts(name: str, distribution: str) -> bool:
    return name not in _LEFT_OUT and (name not in _MANAGERS or distribution in _MANAGERS[name])
