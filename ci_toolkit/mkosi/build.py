"""Run mkosi, and what came out of it: the files, their digests, how long it took."""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_toolkit.errors import FULL, BuildError
from ci_toolkit.mkosi import command, complaint
from ci_toolkit.mkosi.command import Call
from ci_toolkit.mkosi.manifest import SUFFIX, Package
from ci_toolkit.process import Sandbox

_FULL_DISK: Final = "Free space, or name an --output on a larger file system."
_LATE: Final = "Give it longer with --time-limit, or see in the log what it waits for."


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """One file of a build; `name` is relative to the output directory."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One finished build: `image` is the name of the main output, `started` seconds since the epoch.

    `packages` is what mkosi's manifest says is installed, None where there is none; `command` is how mkosi was called.
    """

    image: str
    directory: Path
    artefacts: tuple[Artefact, ...]
    seconds: float
    log: Path
    started: float = 0.0
    packages: tuple[Package, ...] | None = None
    command: tuple[str, ...] = ()

    @property
    def main(self) -> Artefact:
        return next(artefact for artefact in self.artefacts if artefact.name == self.image)


def run(sandbox: Sandbox, call: Call, log: Path, listen: Callable[[str], None], minutes: float | None = None) -> float:
    """Build the image that CALL asks for, write all that mkosi says to LOG, and return the seconds it took.

    LISTEN is given each line of it. One that takes longer than MINUTES is ended. Raises BuildError with the fault, as
    far as it is known, and mkosi's last words.
    """
    started = time.monotonic()
    last: deque[str] = deque(maxlen=200)
    seconds = None if minutes is None else minutes * 60
    try:
        with log.open("w", encoding="utf-8", errors="backslashreplace") as file:

            def take(line: str) -> None:
                last.append(line)
                listen(line)
                file.write(line)

            completed = sandbox.run(command.build(call), on_line=take, timeout_seconds=seconds)
    except OSError as error:
        if error.errno not in FULL:
            raise
        words = _last_words(last, "")
        raise BuildError(f"the disk is full: there is no room for the log\n{words}", hint=_FULL_DISK) from error
    except BuildError as error:  # the place is gone
        raise BuildError(f"{error.message}\n{_last_words(last, '')}", hint=error.hint) from error
    if minutes is not None and completed.late:
        raise BuildError(f"{still_running(minutes)}\n{_last_words(last, '')}", hint=_LATE)
    if not completed.ok:
        # As mkosi says it of the programs that it starts; it may have been killed itself.
        why = complaint.find([*last, f"returned non-zero exit code {completed.exit_code}"])
        first = f"mkosi failed with exit code {completed.exit_code}:" + (f" {why.sentence}" if why else "")
        words = _last_words(last, why.line if why else "")
        raise BuildError(f"{first}\n{words}", hint=why.hint if why else None)
    return time.monotonic() - started


def still_running(minutes: float) -> str:
    """Return the sentence for a mkosi that took longer than MINUTES."""
    return f"mkosi was still running after {minutes:g} minute{'' if minutes == 1 else 's'} (time-limit)"


def _last_words(said: Iterable[str], line: str) -> str:
    """Return the end of what was SAID, and LINE before it where it is further up."""
    lines = [one.rstrip("\r\n") for one in said]
    end = lines[-complaint.LAST :]
    if line in (one.strip() for one in lines[: -complaint.LAST]) and line not in (one.strip() for one in end):
        end = [line, "…", *end]
    return "\n".join(end).strip() or "(it said nothing)"


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
    candidates = sorted(path.name for path in directory.glob(f"{output}.*") if not _is_beside(path))
    if not candidates:
        raise BuildError(f"mkosi left no {output} in its output", hint="Is Format=none set?")
    return candidates[0]


def _is_beside(path: Path) -> bool:
    """Tell whether PATH is no image, but a link to one or the manifest of one."""
    return path.is_symlink() or path.suffix == SUFFIX


def same(first: Iterable[Artefact], second: Iterable[Artefact]) -> bool:
    """Tell whether two builds left the same files with the same bytes."""
    return set(first) == set(second)


def _artefact(path: Path, directory: Path) -> Artefact:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Artefact(name=path.relative_to(directory).as_posix(), size=path.stat().st_size, sha256=digest)
