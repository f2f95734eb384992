"""What other programs say of two files, for the tests of the comparison."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bench import PATH

from ci_toolkit.images.data import Data, OpenFile, whole


def cmp(a: Path, b: Path) -> tuple[int, int | None]:
    """Count, by `cmp --verbose`, the positions that differ and those that one file has alone; and the first of all."""
    places = unequal_places(a, b)
    sizes = a.stat().st_size, b.stat().st_size
    beyond = abs(sizes[0] - sizes[1])
    first = places[0] if places else min(sizes) if beyond else None
    return len(places) + beyond, first


def unequal_places(a: Path, b: Path) -> list[int]:
    """List, by `cmp --verbose`, the offsets at which two files differ, up to the end of the shorter one."""
    program = shutil.which("cmp", path=PATH)
    if program is None:
        pytest.skip("cmp is not installed")
    told = subprocess.run([program, "--verbose", a, b], capture_output=True, check=False, env={"LC_ALL": "C"})
    assert told.returncode in (0, 1), told.stderr
    return [int(line.split()[0]) - 1 for line in told.stdout.splitlines()]


@contextmanager
def opened(*paths: Path) -> Iterator[list[Data]]:
    """Open files for as long as the context lasts."""
    descriptors = [os.open(path, os.O_RDONLY) for path in paths]
    try:
        yield [whole(OpenFile(fd, path.stat().st_size)) for fd, path in zip(descriptors, paths, strict=True)]
    finally:
        for fd in descriptors:
            os.close(fd)


def sparse(path: Path, size: int, *pieces: tuple[int, bytes]) -> Path:
    """Write PIECES (offset, bytes) into a file of SIZE bytes that is a hole besides."""
    with path.open("wb") as file:
        file.truncate(size)
        for offset, piece in pieces:
            os.pwrite(file.fileno(), piece, offset)
    return path


def tree_differences(a: Path, b: Path) -> set[str]:
    """Name, by `diff --recursive`, what differs between two trees: contents, targets of links, names of one side."""
    program = shutil.which("diff", path=PATH)
    if program is None:
        pytest.skip("diff is not installed")
    argv: list[str | Path] = [program, "--recursive", "--brief", "--no-dereference", a, b]
    told = subprocess.run(argv, capture_output=True, check=False, env={"LC_ALL": "C"}, text=True)
    assert told.returncode in (0, 1), told.stderr
    found = set()
    for line in told.stdout.splitlines():
        if line.startswith("Only in "):
            directory, _, name = line.removeprefix("Only in ").rpartition(": ")
            side = a if Path(directory).is_relative_to(a) else b
            found.add(str((Path(directory) / name).relative_to(side)))
        elif line.count(" is a fifo") < 2:  # two of them are never compared
            words = line.split()
            place = words[words.index("and") - 1].rstrip(":")
            found.add(str(Path(place).relative_to(a)))
    return found
