"""Two directory trees gone through at once, against find(1), sha256sum(1) and a comparison of the whole listings."""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import archived
import pytest
from bench import run
from specimens import entries

from ci_toolkit.compare import trees
from ci_toolkit.compare.layers import Walker
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import directory
from ci_toolkit.images.entry import Container
from ci_toolkit.images.limits import Budget, Limits

LARGE = 3 * (1 << 17) + 5


def rows(root: Path) -> dict[str, bytes]:
    """What find and sha256sum print of each entry; a file's size is told by its digest."""
    printed = run("find", root, "-printf", r"%P\0%y %m %U %G %T@ %l\0").split(b"\0")[:-1]
    found = {os.fsdecode(path): row for path, row in zip(printed[::2], printed[1::2], strict=True)}
    digests = run("find", root, "-type", "f", "-exec", "sha256sum", "--zero", "{}", "+").split(b"\0")[:-1]
    for line in digests:
        digest, _, path = line.partition(b"  ")
        found[os.path.relpath(os.fsdecode(path), root)] += digest
    return found


def told(a: Container, b: Container) -> tuple[object, object]:
    walker = Walker(Budget(Limits()))
    walker.trees(a, b)
    walker.settle()
    walker.close()
    return walker.ledger.found, walker.ledger.skipped


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    a = archived.tree(tmp_path / "a")
    (a / "large").write_bytes(random.Random(2).randbytes(LARGE))
    return a, shutil.copytree(a, tmp_path / "b", symlinks=True, copy_function=_copied)


def _copied(source: str, target: str) -> None:
    if Path(source).is_fifo():
        os.mkfifo(target)
        shutil.copystat(source, target)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def test_nothing_is_left_of_equal_trees(pair: tuple[Path, Path]) -> None:
    assert rows(pair[0]) == rows(pair[1])
    assert [container.entries for container in trees.unequal(*pair, Budget(Limits()))] == [(), ()]


CHANGES: dict[str, Callable[[Path], object]] = {
    "a byte": lambda root: _write(root / "etc/hostname", b"hosT\n"),
    "the last byte": lambda root: _write(root / "large", b"!", LARGE - 1),
    "a byte in the middle": lambda root: _write(root / "large", b"!!!!!!!!", 150_000),
    "the size": lambda root: _write(root / "etc/empty", b"more"),
    "the mode": lambda root: (root / "etc/hostname").chmod(0o600),
    "the mode of a directory": lambda root: (root / "etc").chmod(0o700),
    "a target": lambda root: _linked(root / "link", "elsewhere"),
    "the time of a link": lambda root: os.utime(root / "link", (1, 1), follow_symlinks=False),
    "a file less": lambda root: (root / "etc/empty").unlink(),
    "a directory less": lambda root: shutil.rmtree(root / "etc"),
    "a file for a directory": lambda root: _replaced(root / "etc/conf.d"),
    "a FIFO for a file": lambda root: _piped(root / "big"),
    "the root's own time": lambda root: os.utime(root, (1, 1)),
    "a file that goes before its directory": lambda root: (root / "etc-").write_text("new"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_differs_is_what_find_and_sha256sum_tell(pair: tuple[Path, Path], change: str) -> None:
    CHANGES[change](pair[1])
    before, after = rows(pair[0]), rows(pair[1])
    expected = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    assert expected
    one, other = trees.unequal(*pair, Budget(Limits()))
    assert entries(one).keys() == expected & before.keys()
    assert entries(other).keys() == expected & after.keys()


def test_the_number_of_a_device_is_compared(pair: tuple[Path, Path]) -> None:
    archived.nodes(pair[0])
    for number, name in ((os.makedev(4, 64), "tty"), (os.makedev(8, 2), "disk")):
        os.mknod(pair[1] / name, (pair[0] / name).lstat().st_mode, number)
    for root in pair:
        for name in ("", "tty", "disk"):
            os.utime(root / name, (0, 0))
    assert [[entry.path for entry in found.entries] for found in trees.unequal(*pair, Budget(Limits()))] == [
        ["disk"]
    ] * 2


def test_an_attribute_is_compared(pair: tuple[Path, Path]) -> None:
    try:
        for root in pair:
            os.setxattr(root / "etc/empty", "user.same", b"1")
            os.setxattr(root / "big", "user.name", bytes(root.name, "ascii"))
        os.setxattr(pair[1] / "etc", "user.more", b"1")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    assert b'user.name="b"' in run("getfattr", "--dump", "--absolute-names", pair[1] / "big")
    expected = [["big", "etc"]] * 2
    assert [[entry.path for entry in found.entries] for found in trees.unequal(*pair, Budget(Limits()))] == expected


@pytest.mark.parametrize("seed", range(20))
def test_a_comparison_tells_what_it_tells_of_the_whole_listings(tmp_path: Path, seed: int) -> None:
    """In the same order too."""
    chance = random.Random(seed)
    pair = tmp_path / "a", tmp_path / "b"
    for root in pair:
        root.mkdir()
    for _ in range(60):
        step = chance.choice(("", "d/", "d/e/", "d-/", "d/e.x/", "é/"))
        name = chance.choice(("d", "e", "d-", "e.x", "a", "z"))
        kind = chance.choice(("file", "file", "directory", "link"))
        for root in chance.choice(((pair[0],), (pair[1],), pair, pair, pair)):
            _made(root / step / name, kind, chance.choice(("", "same", "other", "large" * 50_000)))
    for root in pair:
        for path in (root, *root.rglob("*")):
            os.utime(path, (0, 0), follow_symlinks=False)
    whole = [directory.read(root, Budget(Limits())) for root in pair]
    assert told(*trees.unequal(*pair, Budget(Limits()))) == told(whole[0], whole[1])


def test_what_may_not_be_listed_is_skipped_on_its_side(pair: tuple[Path, Path]) -> None:
    (pair[1] / "etc").chmod(0)
    try:
        list((pair[1] / "etc").iterdir())
    except PermissionError:
        one, other = trees.unequal(*pair, Budget(Limits()))
    else:
        pytest.skip("root may list every directory")
    finally:
        (pair[1] / "etc").chmod(0o755)
    assert (one.skipped, other.skipped) == ((), (("etc", "Permission denied"),))
    assert {"etc", "etc/conf.d", "etc/hostname"} < entries(one).keys()
    assert not other.entries


def test_a_tree_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="missing: No such file"):
        trees.unequal(tmp_path, tmp_path / "missing", Budget(Limits()))


def test_equal_contents_are_charged_once(pair: tuple[Path, Path]) -> None:
    """What goes beyond is left to the walk, which says so."""
    sizes = sum(path.lstat().st_size for path in pair[0].rglob("*") if path.is_file() and not path.is_symlink())
    assert trees.unequal(*pair, Budget(Limits(read=sizes)))[0].entries == ()
    assert trees.unequal(*pair, Budget(Limits(read=sizes - 1)))[0].entries != ()


def _write(path: Path, content: bytes, offset: int = 0) -> None:
    """Leave everything else of the file as it is."""
    before = path.lstat()
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)
    os.utime(path, ns=(0, before.st_mtime_ns))


def _linked(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def _piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _replaced(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("now a file")


def _made(path: Path, kind: str, content: str) -> None:
    if not path.parent.is_dir() or path.is_symlink() or path.exists():
        return
    match kind:
        case "file":
            path.write_text(content)
        case "directory":
            path.mkdir()
        case _:
            path.symlink_to(content[:4] or "nowhere")
