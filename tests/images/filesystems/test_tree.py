"""The walk that the readers share, over a directory of this machine, against find(1)."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench import run

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.entry import Entry, Kind
from ci_toolkit.images.filesystems.tree import Below, walk
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path in ("a/b/c", "a/d", "e/f"):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "file").touch()
    (tmp_path / "a/last").touch()
    return tmp_path


class System:
    """A tree in which inodes are the paths of the machine, and `refused` cannot be read."""

    def __init__(self, root: Path, *, refused: str | None = None, twice: str = "") -> None:
        self.root, self.refused, self.twice = root, refused, twice
        self.skipped: list[tuple[str, str]] = []

    def visit(self, path: str, key: str) -> tuple[Entry, Below[str] | None]:
        if path == self.refused:
            raise UnreadableError("it cannot be read")
        if not (self.root / key).is_dir():
            return Entry(path=path, kind=Kind.FILE), None
        return Entry(path=path, kind=Kind.DIRECTORY), Below(key, self.names(path, key))

    def names(self, path: str, key: str) -> Iterator[tuple[str, str]]:
        for name in os.listdir(self.root / key):  # noqa: PTH208  in the order of the file system, as find has them
            below = f"{path}/{name}" if path else name
            yield below, self.twice if below == self.twice + "/again" else below

    def walk(self, limits: Limits | None = None) -> list[str]:
        return [entry.path for entry in walk("", self.visit, Budget(limits or Limits()), self.skipped)]


def listed(root: Path, *options: str | Path) -> list[str]:
    return run("find", root, *options, "-printf", "%P\n").decode().splitlines()


def test_names_come_in_the_order_of_find(root: Path) -> None:
    system = System(root)
    assert system.walk() == listed(root)
    assert system.skipped == []


def test_what_cannot_be_read_is_skipped_with_all_below(root: Path) -> None:
    system = System(root, refused="a/b")
    assert system.walk() == listed(root, "-path", root / "a/b", "-prune", "-o")
    assert system.skipped == [("a/b", "it cannot be read")]


def test_a_directory_in_two_places_is_entered_once(root: Path) -> None:
    (root / "a/again").mkdir()
    system = System(root, twice="a")
    assert sorted(system.walk()) == sorted(listed(root))
    assert system.skipped == [("a/again", "inode a is a directory in two places")]


def test_too_many_names_are_not_listed_in_part(root: Path) -> None:
    with pytest.raises(BeyondLimitError, match="more than 5 entries"):
        System(root).walk(Limits(members=5))


def test_what_has_too_long_a_name_is_skipped_alone(root: Path) -> None:
    system = System(root)
    assert system.walk(Limits(path=5)) == [path for path in listed(root) if len(path) <= 5]
    assert system.skipped
    assert all(reason.startswith("a name of") for _, reason in system.skipped)
