"""The machine's own package settings, handed to mkosi as a sandbox tree, for a mirror that is not the whole archive.

mkosi's default for Debian names four suites at the public archive, among them the debug one, and stops when one of
them is missing. A machine that is set up with a mirror of its own says so in /etc/ci-toolkit/machine/mirror; then
exactly the suites that this mirror carries are used.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Final

from ci_toolkit.mkosi.config import ImageConfig
from ci_toolkit.process import MINIMAL, Command, Sandbox

MACHINE: Final = PurePosixPath("/etc/ci-toolkit/machine")
_KEYRING: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"


def sandbox_tree(sandbox: Sandbox, config: ImageConfig, definition: Path, target: Path) -> tuple[str, ...]:
    """Write the sandbox tree for CONFIG to TARGET (a path of this machine) and return the suites it names.

    Nothing is written, and () returned, where the machine names no mirror, the image is not Debian, or the definition
    (DEFINITION, a path of this machine) chooses its own mirror, snapshot or sources.
    """
    if config.distribution != "debian" or config.mirror or config.snapshot:
        return ()
    if any(definition.rglob("etc/apt/sources.list.d/mkosi.sources")):
        return ()
    mirror = _read(sandbox, MACHINE / "mirror").strip()
    if not mirror:
        return ()
    security = mirror.rstrip("/").removesuffix("/debian") + "/debian-security"
    wanted = [(mirror, config.release), (mirror, f"{config.release}-updates")]
    wanted.append((security, f"{config.release}-security"))
    with ThreadPoolExecutor() as pool:
        answers = pool.map(lambda one: _carries(sandbox, *one), wanted)
    carried = [one for one, answer in zip(wanted, answers, strict=True) if answer]
    if not carried:
        return ()
    sources = "\n".join(
        f"Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\nSigned-By: {_KEYRING}\n" for uri, suite in carried
    )
    _write(target / "etc/apt/sources.list.d/mkosi.sources", sources)
    _write(target / "etc/apt/apt.conf.d/99machine.conf", _read(sandbox, MACHINE / "apt.conf"))
    return tuple(suite for _, suite in carried)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")


def _read(sandbox: Sandbox, path: PurePosixPath) -> str:
    completed = sandbox.run(Command(argv=("cat", os.fspath(path)), environment=MINIMAL))
    return completed.stdout if completed.ok else ""


def _carries(sandbox: Sandbox, mirror: str, suite: str) -> bool:
    """Ask with apt's own downloader, which knows the machine's proxies and certificates."""
    address = f"{mirror.rstrip('/')}/dists/{suite}/InRelease"
    fetch = ("/usr/lib/apt/apt-helper", "-o", "APT::Sandbox::User=root", "download-file")
    return sandbox.run(Command(argv=(*fetch, address, f"{suite}.InRelease"), environment=MINIMAL)).ok
