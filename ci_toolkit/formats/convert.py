"""From an image to all that was asked for: whole or not at all, with checksums beside."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from ci_toolkit.console import Console
from ci_toolkit.errors import FULL, HostError, UsageError
from ci_toolkit.formats import fit
from ci_toolkit.formats.source import Disk, open_disk
from ci_toolkit.formats.table import Format
from ci_toolkit.formats.work import Progress, Work
from ci_toolkit.host import leftovers
from ci_toolkit.images.limits import MIB

# How the directory of a run is called; the next conversion, or build, removes those of runs that were killed.
_RUN: Final = ".ci-toolkit-"


class File(NamedTuple):
    """A file that was written; `path` is relative to the output."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one format: a file, or the files of a directory."""

    format: Format
    path: Path
    files: tuple[File, ...]
    seconds: float

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """All results, what the disk is known by, and those of them that FORGE does not take, with what it would."""

    digest: str
    size: int
    results: tuple[Result, ...]
    beyond: tuple[Result, ...] = ()
    advice: str = ""


def convert(image: Path, wanted: Sequence[Format], output: Path, console: Console, forge: str | None) -> Conversion:
    """Write IMAGE in the formats WANTED into the directory OUTPUT, over what is there by these names.

    Raises UnreadableError where IMAGE is none or lacks what a format needs, UsageError where a result cannot fit FORGE
    or OUTPUT cannot be written, HostError for a full disk; then nothing is left behind.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        with leftovers.directory(output, _RUN) as scratch:
            return _converted(image, wanted, (output, scratch), console, forge)
    except OSError as error:
        if error.errno in FULL:
            raise HostError(
                f"the disk is full: nothing was written to {output}", hint="Free space, or name another --output."
            ) from error
        raise UsageError(f"{error.filename or output}: {error.strerror}", hint="Name another --output.") from error


def _converted(
    image: Path, wanted: Sequence[Format], places: tuple[Path, Path], console: Console, forge: str | None
) -> Conversion:
    output, scratch = places
    size = image.stat().st_size if image.is_file() else 0
    console.say(f"Reading {image}")
    with open_disk(image, Progress("reading", size, console.say)) as disk:
        work = Work(disk=disk, directory=scratch, say=console.say)
        for one in wanted:
            _prepare(work, one)
        if forge is not None:
            fit.check(work, wanted, forge)
        results = []
        for one in wanted:
            with console.step(one.name):
                results.append(_result(work, one, output))
        beyond = tuple(one for one in results if forge and max(file.size for file in one.files) > fit.LIMITS[forge])
        advice = fit.advice(work, fit.ratio(disk), forge) if forge and beyond else ""
        for result in results:
            _publish(scratch, result)
        return _told(disk, results, beyond, advice)


def _told(disk: Disk, results: list[Result], beyond: tuple[Result, ...], advice: str) -> Conversion:
    return Conversion(digest=disk.digest, size=disk.size, results=tuple(results), beyond=beyond, advice=advice)


def _prepare(work: Work, wanted: Format) -> None:
    """See, before the work, that the image has what WANTED is made of. Raises UnreadableError."""
    if wanted.files:
        assert work.tree.entries
    else:
        work.disk.require_table()


def _result(work: Work, wanted: Format, output: Path) -> Result:
    started = time.monotonic()
    made = work.make(wanted)
    paths = sorted(path for path in made.rglob("*") if path.is_file()) if wanted.directory else [made]
    files = tuple(_file(path, path.relative_to(work.directory).as_posix()) for path in paths)
    lines = "".join(map(_line, files))
    made.with_name(f"{made.name}.sha256").write_text(lines, encoding="utf-8", errors="surrogateescape")
    return Result(format=wanted, path=output / made.name, files=files, seconds=time.monotonic() - started)


def _line(file: File) -> str:
    """Return the line of a file in a list that sha256sum reads, where a backslash tells that the name has escapes."""
    name = file.path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "" if name == file.path else "\\"
    return f"{mark}{file.sha256}  {name}\n"


def _file(path: Path, name: str) -> File:
    hashed, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(MIB):
            hashed.update(piece)
            size += len(piece)
    return File(name, size, hashed.hexdigest())


def _publish(scratch: Path, result: Result) -> None:
    """Put what was made in its place; of a directory that is there, nothing stays."""
    for name in (result.path.name, f"{result.path.name}.sha256"):
        target = result.path.with_name(name)
        if target.is_dir() and not target.is_symlink():
            target.rename(scratch / f"old-{name}")
        (scratch / name).replace(target)
