"""The toolkit's image, built from ./Dockerfile under a local name and rebuilt when what goes into it changed."""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bootstrap import engine, local_base, machine, proxies
from bootstrap.failures import NO_SPACE, SetupError
from bootstrap.workplace import Workplace

NAME: Final = "ci-toolkit:local"
RELEASE_VARIABLE: Final = "DEBIAN_RELEASE"
_LABEL: Final = "org.archlinux.ci-toolkit.inputs"
# What .dockerignore lets through, and what steers the build itself.
_INPUTS: Final = ("Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE", "ci_toolkit")
_SPACE_BYTES: Final = 3 * 1024**3


def ensure(workplace: Workplace) -> None:
    """Build the image, or find that it stands already; its label, which tells, is only there when it is whole."""
    release = workplace.environ.get(RELEASE_VARIABLE) or default_release(workplace.root)
    engine.ensure(workplace)
    python = workplace.python if workplace.python.exists() else Path("python3")
    found = machine.gather(workplace.programs, workplace.environ, python, workplace.cache)
    machine.write(found, workplace.cache / "machine")
    before = engine.image_id(workplace, NAME)
    if before is None:
        _check_space(workplace)
    base = local_base.ensure(workplace, found, release)
    inputs = fingerprint(workplace.root, base)
    if engine.image_label(workplace, NAME, _LABEL) == inputs:
        workplace.journal.reused(f"toolkit image {NAME}")
        return
    with workplace.journal.step(f"toolkit image {NAME} on Debian {release}"):
        _build(workplace, found, release, inputs)
    engine.remove_superseded(workplace, before, NAME)
    local_base.forget_older(workplace, release)


def default_release(root: Path) -> str:
    """Return the Debian release that the Dockerfile takes unless it is told another."""
    text = (root / "Dockerfile").read_text(encoding="utf-8")
    match = re.search(r"^ARG DEBIAN_RELEASE=(\S+)$", text, re.MULTILINE)
    if match is None:
        raise SetupError(
            "The Dockerfile has no line ARG DEBIAN_RELEASE=…", hint="Name one: make DEBIAN_RELEASE=… image"
        )
    return match[1]


def fingerprint(root: Path, base: str) -> str:
    """Return a SHA-256 over the id of the BASE image and all files of the checkout ROOT that the build reads."""
    summary = hashlib.sha256(base.encode())
    for path in _files(root):
        content = path.read_bytes()
        executable = os.access(path, os.X_OK)
        summary.update(f"\0{path.relative_to(root)}\0{executable}\0{len(content)}\0".encode() + content)
    return summary.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    for name in _INPUTS:
        path = root / name
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
        elif path.is_file():
            yield path


def _build(workplace: Workplace, found: machine.Machine, release: str, inputs: str) -> None:
    variables = proxies.both_cases(found.proxies)
    argv = ["docker", "build", "--tag", NAME, "--label", f"{_LABEL}={inputs}"]
    argv += ["--build-arg", f"BASE={local_base.name_of(release)}", "--build-arg", f"DEBIAN_RELEASE={release}"]
    # Without a value: docker takes it from its environment, and no password shows in a list of processes.
    argv += [word for name in variables for word in ("--build-arg", name)]
    argv += ["--network=host"] if found.host_network else []
    surroundings = {**engine.build_surroundings(workplace), **variables}
    workplace.programs.run([*argv, "."], directory=workplace.root, extra=surroundings).demand(
        "The Dockerfile could not be built"
    )


def _check_space(workplace: Workplace) -> None:
    free = engine.free_bytes(workplace)
    if free is not None and free < _SPACE_BYTES:
        raise SetupError(f"Docker's directory has only {free / 1e9:.1f} GB left", hint=NO_SPACE)
