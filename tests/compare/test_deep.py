"""Diffoscope and programs that stand in for it: slow ones, greedy ones, broken ones."""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from bench import run

from ci_toolkit.compare.comparison import Comparison
from ci_toolkit.compare.deep import MISSING, Diffoscope, Effort, find
from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.walk import compare

SMALL = Effort(seconds=30)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go, which must be empty again after each test."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    """Two trees in which one file differs and no rule knows why; its name is one that only people would give."""
    return tree(tmp_path / "a", {"-x y.json": b'{"b": [1, 2]}\n'}), tree(
        tmp_path / "b", {"-x y.json": b'{"b": [2, 1]}\n'}
    )


def tree(root: Path, files: dict[str, bytes]) -> Path:
    root.mkdir()
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (1_700_000_000, 1_700_000_000))
    for path in (*root.rglob("*"), root):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return root


def real() -> str:
    program = find({"PATH": os.environ.get("PATH", "")})
    if program is None:
        pytest.skip("diffoscope is not installed")
    return program


def stand_in(directory: Path, script: str) -> str:
    """A program that is called as diffoscope is."""
    path = directory / "diffoscope"
    path.write_text(f"#!{sys.executable}\nimport os, pathlib, sys, time\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def looked(trees: tuple[Path, Path], program: str | None, effort: Effort = SMALL) -> Comparison:
    return compare(*trees, look=Diffoscope(program=program, facts=Facts(), effort=effort).look)


def reasons(found: Comparison) -> list[tuple[str, str]]:
    return [("/".join(one.path), one.reason) for one in found.skipped]


def said(found: Comparison) -> dict[str, str | None]:
    """What diffoscope said of each path, whichever of its differences it was said of."""
    texts = {"/".join(one.path): one.diffoscope for one in found.differences}
    return texts | {"/".join(one.path): one.diffoscope for one in found.differences if one.diffoscope is not None}


def test_the_real_one_says_what_differs_and_nothing_is_left_of_the_files(
    trees: tuple[Path, Path], temporary: Path
) -> None:
    found = looked(trees, real())
    text = said(found)["-x y.json"]
    assert text is not None
    # What it says is what it says to anybody who asks, but for the names.
    own = [line for line in text.splitlines() if "│" in line]
    names = [root / "x_y.json" for root in trees]
    for root, name in zip(trees, names, strict=True):
        shutil.copy2(root / "-x y.json", name)
    told = subprocess.run((real(), "--text", "-", *names), capture_output=True, text=True, check=False).stdout
    assert [line for line in told.splitlines() if "│" in line] == own
    assert len(own) > 5
    assert found.skipped == ()
    assert list(temporary.iterdir()) == []


def test_it_is_asked_of_whole_programs_not_of_their_sections(tmp_path: Path) -> None:
    for name, value in (("a", 1), ("b", 2)):
        source = tmp_path / f"{name}.c"
        source.write_text(f"int main(void) {{ return {value}; }}\n", encoding="utf-8")
        (tmp_path / name).mkdir()
        run("gcc", "-O1", "-o", tmp_path / name / "program", source)
        os.utime(tmp_path / name / "program", (1_700_000_000, 1_700_000_000))
    found = looked((tmp_path / "a", tmp_path / "b"), real())
    texts = {path: text for path, text in said(found).items() if text is not None}
    assert set(texts) == {"program"}
    assert "readelf" in texts["program"]


def test_what_a_rule_explains_is_not_shown_to_it(tmp_path: Path) -> None:
    ids = [f"{digit * 32}\n".encode() for digit in "ab"]
    roots = [tree(tmp_path / name, {"etc/machine-id": one}) for name, one in zip(("a", "b"), ids, strict=True)]
    found = looked((roots[0], roots[1]), stand_in(tmp_path, "pathlib.Path('said').write_text('asked')"))
    assert set(said(found).values()) == {None}
    assert found.skipped == ()


def test_what_may_be_a_secret_is_not_shown_to_it(tmp_path: Path) -> None:
    roots = [tree(tmp_path / name, {"etc/app.key": name.encode() * 20}) for name in ("a", "b")]
    found = looked((roots[0], roots[1]), stand_in(tmp_path, "pathlib.Path('said').write_text('asked')"))
    assert set(said(found).values()) == {None}
    assert reasons(found) == [("etc/app.key", "not shown to diffoscope, since it may be a secret")]


def test_lines_that_may_be_secrets_are_hidden_and_private_keys_altogether(
    tmp_path: Path, trees: tuple[Path, Path]
) -> None:
    program = stand_in(tmp_path, "pathlib.Path('said').write_text('+++ b\\n-token=1\\n+fine\\n')")
    assert said(looked(trees, program))["-x y.json"] == "+++ b\n… (a line that may be a secret)\n+fine"
    program = stand_in(tmp_path, "pathlib.Path('said').write_text('+-----BEGIN PRIVATE KEY-----\\n+MII\\n')")
    assert said(looked(trees, program))["-x y.json"] is None


def test_without_it_the_reason_is_told_once(trees: tuple[Path, Path]) -> None:
    found = looked(trees, None)
    assert reasons(found) == [("", MISSING)]
    assert set(said(found).values()) == {None}
    assert found.differences == compare(*trees).differences


def test_trees_that_are_alike_need_none(trees: tuple[Path, Path]) -> None:
    assert looked((trees[0], trees[0]), None).skipped == ()


def test_one_that_hangs_is_ended_with_what_it_started_and_what_it_said_so_far_is_kept(
    tmp_path: Path, trees: tuple[Path, Path], temporary: Path
) -> None:
    script = "pathlib.Path('said').write_text('so far\\n'); os.fork(); time.sleep(600)"
    found = looked(trees, stand_in(tmp_path, script), Effort(seconds=1))
    assert reasons(found) == [("-x y.json", "diffoscope took longer than 1 seconds")]
    assert said(found)["-x y.json"] == "so far"
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("script", ["x = bytearray(1 << 34)", "os.abort()"], ids=["python", "abort"])
def test_one_that_wants_too_much_memory_is_ended(tmp_path: Path, trees: tuple[Path, Path], script: str) -> None:
    found = looked(trees, stand_in(tmp_path, script))
    assert reasons(found) == [("-x y.json", "diffoscope needed more than 2 GB of memory")]


def test_one_that_writes_without_end_fills_neither_memory_nor_disk(
    tmp_path: Path, trees: tuple[Path, Path], temporary: Path
) -> None:
    script = "\nwhile True: os.write(2, b'x' * 65536)"
    found = looked(trees, stand_in(tmp_path, script), replace(SMALL, memory=150_000_000))
    ((_, reason),) = reasons(found)
    assert reason.startswith("diffoscope failed with exit code")
    assert len(reason) < 300
    assert list(temporary.iterdir()) == []


def test_what_it_says_is_cut_to_whole_lines(tmp_path: Path, trees: tuple[Path, Path]) -> None:
    program = stand_in(tmp_path, "pathlib.Path('said').write_text('+0123456789\\n' * 100_000)")
    text = said(looked(trees, program, replace(SMALL, text=1_000)))["-x y.json"]
    assert text is not None
    *lines, last = text.split("\n")
    assert set(lines) == {"+0123456789"}
    assert last == "… (shortened)"
    assert len(text) <= 1_020


def test_one_that_fails_says_why(tmp_path: Path, trees: tuple[Path, Path]) -> None:
    program = stand_in(tmp_path, "sys.exit('broken')")  # 1, as diffoscope where it found a difference
    assert reasons(looked(trees, program)) == [("-x y.json", "diffoscope failed with exit code 1: broken")]
    program = stand_in(tmp_path, "print('trouble: no such option', file=sys.stderr); sys.exit(2)")
    assert reasons(looked(trees, program)) == [
        ("-x y.json", "diffoscope failed with exit code 2: trouble: no such option")
    ]
    found = looked(trees, str(tmp_path / "nowhere"))
    ((_, reason),) = reasons(found)
    assert reason.startswith("diffoscope failed with exit code 127: ")


def test_too_many_and_too_large_files_are_left_out_and_counted(tmp_path: Path) -> None:
    roots = [tree(tmp_path / name, {f"{n}.dat": name.encode() * (n + 1) for n in range(6)}) for name in ("a", "b")]
    program = stand_in(tmp_path, "pathlib.Path('said').write_text(sys.argv[-1])")
    found = looked((roots[0], roots[1]), program, replace(SMALL, files=3, size=2))
    assert said(found) == {
        "0.dat": "second/0.dat", "1.dat": "second/1.dat", "2.dat": None, "3.dat": None, "4.dat": None, "5.dat": None
    }  # fmt: skip
    assert reasons(found) == [
        ("2.dat", "not shown to diffoscope, since it is larger than 2 bytes"),
        ("", "diffoscope was not shown 3 more of the files that no rule explains"),
    ]


def test_two_images_are_looked_into_as_well_as_trees(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run(
            "tar",
            "--create",
            "--file",
            tmp_path / f"{name}.tar",
            "--mtime=@0",
            "--directory",
            tree(tmp_path / name, {"x.dat": name.encode() * 9}),
            "x.dat",
        )
        run("gzip", "-n", tmp_path / f"{name}.tar")
    program = stand_in(tmp_path, "pathlib.Path('said').write_text(pathlib.Path(sys.argv[-1]).read_text())")
    found = looked((tmp_path / "a.tar.gz", tmp_path / "b.tar.gz"), program)
    assert [one.diffoscope for one in found.differences if one.field is Field.CONTENT and not one.opened] == ["b" * 9]


def test_it_is_found_where_the_caller_has_it(tmp_path: Path) -> None:
    if os.path.exists("/usr/bin/diffoscope"):  # noqa: PTH110  the one place that counts
        assert find({}) == "/usr/bin/diffoscope"
    else:
        assert find({}) is None
        program = stand_in(tmp_path, "")
        assert find({"PATH": str(tmp_path)}) == program
