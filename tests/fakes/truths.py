"""What other programs say of two files, for the tests of the comparison."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from bench import PATH


def cmp(a: Path, b: Path) -> tuple[int, int | None]:
    """Count, by `cmp --verbose`, the positions that differ and those that one file has alone; and the first of all."""
    program = shutil.which("cmp", path=PATH)
    if program is None:
        pytest.skip("cmp is not installed")
    told = subprocess.run([program, "--verbose", a, b], capture_output=True, check=False, env={"LC_ALL": "C"})
    assert told.returncode in (0, 1), told.stderr
    lines = told.stdout.splitlines()
    sizes = a.stat().st_size, b.stat().st_size
    beyond = abs(sizes[0] - sizes[1])
    first = int(lines[0].split()[0]) - 1 if lines else min(sizes) if beyond else None
    return len(lines) + beyond, first


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
