"""Two cpio archives read at once, against each of them read alone."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from bench import run
from specimens import loaded

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.archives import cpio, cpio_pair
from ci_toolkit.images.entry import Container, Entry
from ci_toolkit.images.limits import Budget, Limits

FORMATS = ("newc", "odc", "bin", "crc")


def tree(root: Path) -> Path:
    (root / "etc").mkdir(parents=True)
    for number in range(60):
        (root / f"etc/{number:02}").write_bytes(b"%d\n" % number * (number * 37 % 300))
    (root / "etc/link").symlink_to("07")
    (root / "etc/again").hardlink_to(root / "etc/08")
    (root / "etc/empty").touch()
    for path in root.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)
    return root


def packed(root: Path, form: str) -> bytes:
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
    stdin = "".join(f"{name}\0" for name in names).encode()
    return run("cpio", "-o", "--null", "--quiet", "--reproducible", f"--format={form}", stdin=stdin, cwd=root)


def rewrite(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    os.utime(path, (1, 1))


def relink(path: Path) -> None:
    path.unlink()
    path.symlink_to("09")


CHANGES: dict[str, Callable[[Path], object]] = {
    "nothing": lambda root: root,
    "content": lambda root: rewrite(root / "etc/30", (root / "etc/30").read_bytes().replace(b"3", b"4")),
    "size": lambda root: rewrite(root / "etc/30", b"longer" * 99),
    "target": lambda root: relink(root / "etc/link"),
    "mode": lambda root: (root / "etc/31").chmod(0o600),
    "gone": lambda root: (root / "etc/31").unlink(),
    "a hard link more": lambda root: (root / "etc/zz").hardlink_to(root / "etc/32"),
}


def same_in(a: bytes, b: bytes) -> Callable[[int, int], bool]:
    def same(offset: int, length: int) -> bool:
        end = offset + length
        return end <= min(len(a), len(b)) and a[offset:end] == b[offset:end]

    return same


def told(entry: Entry) -> object:
    content = None if entry.data is None else entry.data.read_at(0, entry.data.size)
    return entry._replace(data=None), content, None if entry.data is None else entry.data.runs


def outcome(read: Callable[[Budget], tuple[Container, Container]], limits: Limits) -> object:
    try:
        one, other = read(Budget(limits))
    except UnreadableError as error:
        return error.message
    return [(list(map(told, found.entries)), found.facts, found.regions, found.remainder) for found in (one, other)]


def check(a: bytes, b: bytes, limits: Limits | None = None) -> None:
    one, other = loaded(a), loaded(b)
    limits = limits or Limits()
    alone = outcome(lambda budget: (cpio.read(one, budget), cpio.read(other, budget)), limits)
    assert outcome(lambda budget: cpio_pair.read(one, other, same_in(a, b), budget), limits) == alone
    assert outcome(lambda budget: cpio_pair.read(one, other, None, budget), limits) == alone


def shared(a: bytes, b: bytes) -> int:
    one, other = cpio_pair.read(loaded(a), loaded(b), same_in(a, b), Budget(Limits()))
    there = {id(entry) for entry in one.entries}
    return sum(id(entry) in there for entry in other.entries)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("form", FORMATS)
def test_a_pair_is_what_each_of_it_is_alone(tmp_path: Path, form: str, change: str) -> None:
    root = tree(tmp_path / "tree")
    before = packed(root, form)
    CHANGES[change](root)
    after = packed(root, form)
    assert (before == after) == (change == "nothing")
    check(before, after)
    check(after, before)
    check(before + before, before + after)


def test_all_but_what_differs_is_shared(tmp_path: Path) -> None:
    root = tree(tmp_path / "tree")
    before = packed(root, "newc")
    CHANGES["content"](root)
    after = packed(root, "newc")
    # Two names lead to one file: each of them may be told by another member.
    alone = len(list(root.rglob("*"))) - len(["etc/08", "etc/again"])
    assert shared(before, before) == alone
    assert shared(before, after) == alone - 1


@pytest.mark.parametrize("form", FORMATS)
def test_damage_is_told_as_alone(tmp_path: Path, form: str) -> None:
    whole = packed(tree(tmp_path / "tree"), form)
    chance = random.Random(3)
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        check(whole, bytes(damaged))
        check(bytes(damaged), whole)
    for _ in range(40):
        cut = whole[: chance.randrange(len(whole))]
        check(whole, cut)
        check(cut, whole)


def test_limits_hold_for_both_as_for_each(tmp_path: Path) -> None:
    whole = packed(tree(tmp_path / "tree"), "newc")
    count = len(cpio.read(loaded(whole), Budget(Limits())).entries) + 1
    for members in (count - 1, count, 2 * count - 1, 2 * count):
        check(whole, whole, Limits(members=members))
    for metadata in range(0, 80_000, 5_000):
        check(whole, whole, Limits(metadata=metadata))
