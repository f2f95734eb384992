"""Run mkosi, and what came out of it: the files, their digests, how long it took."""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ci_toolkit.errors import BuildError
from ci_toolkit.mkosi import command, complaint
from ci_toolkit.mkosi.command import Call
from ci_toolkit.process import Sandbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """One file of a build; `name` is relative to the output directory."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One finished build: `image` is the name of the main output, `started` seconds since the epoch."""

    image: str
    directory: Path
    artefacts: tuple[Artefact, ...]
    seconds: float
    log: Path
    started: float = 0.0

    @property
    def main(self) -> Artefact:
        return next(artefact for artefact in self.artefacts if artefact.name == self.image)


def run(sandbox: Sandbox, call: Call, log: Path, listen: Callable[[str], None]) -> float:
    """Build the image that CALL asks for, write all that mkosi says to LOG, and return the seconds it took.

    LISTEN is given each line of it.

    Raises BuildError with mkosi's last words.
    """
    started = time.monotonic()
    last: deque[str] = deque(maxlen=200)
    with log.open("w", encoding="utf-8", errors="backslashreplace") as file:

        def take(line: str) -> None:
            file.write(line)
            last.append(line)
            listen(line)

        completed = sandbox.run(command.build(call), on_line=take)
    if not completed.ok:
        said = list(last)
        words = "".join(said[-complaint.LAST :]).strip() or "(it said nothing)"
        why = complaint.find(said)
        first = f"mkosi failed with exit code {completed.exit_code}:" + (f" {why}" if why else "")
        raise BuildError(f"{first}\n{words}", hint=f"The whole log: {log}")
    return time.monotonic() - started


def collect(directory: Path, image: str) -> tuple[Artefact, ...]:
    """Return the regular files of the output DIRECTORY with their digests, IMAGE first.

    IMAGE may be a directory (Format=directory): then each of its files counts. Links that only name another output
    are left out.
    """
    paths = sorted(path for path in directory.rglob("*") if path.is_file() and not path.is_symlink())
    artefacts = [_artefact(path, directory) for path in paths]
    return tuple(sorted(artefacts, key=lambda artefact: (artefact.name != image, artefact.name)))


def main_output(directory: Path, output: str) -> str:
    """Return the name of the image that mkosi left in DIRECTORY for Output=OUTPUT.

    mkosi leaves a link of that name to the file with the extensions. Raises BuildError when there is none.
    """
    named = directory / output
    if named.exists():
        return named.resolve().name
    candidates = sorted(path.name for path in directory.glob(f"{output}.*") if not path.is_symlink())
    if not candidates:
        raise BuildError(f"mkosi left no {output} in its output", hint="Is Format=none set?")
    return candidates[0]


def same(first: Iterable[Artefact], second: Iterable[Artefact]) -> bool:
    """Tell whether two builds left the same files with the same bytes."""
    return set(first) == set(second)


def _artefact(path: Path, directory: Path) -> Artefact:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Artefact(name=path.relative_to(directory).as_posix(), size=path.stat().st_size, sha256=digest)
