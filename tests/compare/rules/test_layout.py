"""Order, places and bookkeeping."""

import os
from collections.abc import Callable
from pathlib import Path

import balanced
import flashed
import grouped
import pytest
from bench import cause, changed, differs, finding, run, shows

from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.explain import explain
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.walk import compare


@shows("archive-order", by="ar")
def test_members_in_another_order_are_named_with_the_packers_option(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).touch()
    orders = []
    for names in (("a", "b"), ("b", "a")):
        run("ar", "rcD", tmp_path / f"{names[0]}.a", *names, cwd=tmp_path)
        orders.append(tuple(run("ar", "t", tmp_path / f"{names[0]}.a").decode().split()))
    told = finding(differs("x.ar", Field.ORDER, *orders, container="ar"))
    assert told.cause == "archive-order"
    assert "LC_ALL=C" in told.fix


def test_a_layout_is_a_cause_of_its_own_where_nothing_else_differs() -> None:
    told = finding(differs(("2:root",), Field.LAYOUT, 0, 481))
    assert told.cause == "layout"
    assert told.consequence_of == ()


def test_a_layout_follows_from_what_differs_in_the_same_file_system_only() -> None:
    layout = differs(("2:root",), Field.LAYOUT, 0, 481)
    same = changed(("2:root", "var/log/thing"), b"one", b"two")
    other = changed(("3:data", "etc/machine-id"), b"0" * 32, b"1" * 32)
    told = {found.cause: found for found in explain((layout, same, other), Facts())}
    assert told["layout"].consequence_of == ("log-file",)


def test_bookkeeping_follows_from_what_differs_in_its_file_system() -> None:
    region = changed(("2:root",), b"one", b"two", field=Field.REGION, name="inode table")
    same = changed(("2:root", "var/log/thing"), b"one", b"two")
    other = changed(("3:data", "etc/thing"), b"one", b"two")
    told = {found.cause: found for found in explain((region, same, other), Facts())}
    assert told["bookkeeping"].consequence_of == ("log-file",)
    assert cause(region) == "unknown"


def test_several_regions_that_nothing_explains_do_not_explain_each_other() -> None:
    regions = [
        changed(("2:root",), b"one", b"two", field=Field.REGION, name=name) for name in ("inode table", "superblock")
    ]
    (told,) = explain(regions, Facts())
    assert told.cause == "unknown"
    assert told.consequence_of == ()
    assert told.bytes == sum(region.bytes for region in regions)


def test_a_gap_is_unknown_beside_anything() -> None:
    gap = changed(("2:root",), b"one", b"two", field=Field.REGION, name="gap")
    same = changed(("2:root", "var/log/thing"), b"one", b"two")
    assert {found.cause for found in explain((gap, same), Facts())} == {"log-file", "unknown"}


def btrfs(work: Path, content: bytes) -> Path:
    (work / "tree").mkdir(parents=True)
    (work / "tree/thing").write_bytes(content)
    return balanced.make(work / "image", "-U", balanced.UUID, "--data", "dup", source=work / "tree")


def xfs(work: Path, content: bytes) -> Path:
    work.mkdir()
    (work / "thing").write_bytes(content)
    (work / "proto").write_text(f"/dev/null\n0 0\nd--755 0 0\nthing ---644 0 0 {work / 'thing'}\n$\n")
    return grouped.make(work / "image", "-p", str(work / "proto"))


def f2fs(work: Path, content: bytes) -> Path:
    (work / "tree").mkdir(parents=True)
    (work / "tree/thing").write_bytes(content)
    for path in (work / "tree/thing", work / "tree"):
        os.utime(path, (flashed.EPOCH, flashed.EPOCH))
    return flashed.make(work / "image", source=work / "tree")


@pytest.mark.parametrize("make", [btrfs, xfs, f2fs])
def test_what_a_file_system_keeps_of_a_longer_file_is_bookkeeping(tmp_path: Path, make: Callable[..., Path]) -> None:
    images = [make(tmp_path / name, name.encode() * size) for name, size in (("a", 9000), ("b", 90_000))]
    told = {found.cause: found for found in explain(compare(*images).differences, Facts())}
    assert told["unknown"].count == 1
    assert told["unknown"].paths == ("thing",)
    assert told["bookkeeping"].bytes > 0
