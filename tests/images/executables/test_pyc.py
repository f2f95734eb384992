"""Byte code compiled by Python itself."""

import importlib.util
import marshal
import os
import sys
from pathlib import Path

import pytest
from bench import run
from specimens import budget, content, cuts, entries, facts, loaded, make_sense
from truths import cmp

from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.explain import explain
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.walk import compare
from ci_toolkit.images.executables import pyc

SOURCE = "import os\n\n\ndef answer():\n    return os.sep * 42\n"
STAMP = 1_700_000_000


def compiled(directory: Path, mode: str, stamp: int = STAMP, source: str = SOURCE) -> Path:
    directory.mkdir()
    (directory / "module.py").write_text(source)
    os.utime(directory / "module.py", (stamp, stamp))
    run(
        sys.executable, "-m", "compileall", "-q", "-d", "/usr/lib/python3", f"--invalidation-mode={mode}", "-b", ".",
        cwd=directory,
    )  # fmt: skip
    return directory / "module.pyc"


@pytest.mark.parametrize(("mode", "flags"), [("timestamp", 0), ("unchecked-hash", 1), ("checked-hash", 3)])
def test_the_header_is_what_python_wrote(tmp_path: Path, mode: str, flags: int) -> None:
    whole = compiled(tmp_path / "a", mode).read_bytes()
    assert pyc.recognise(loaded(whole))
    found = pyc.read(loaded(whole), budget())
    make_sense(found)
    known = facts(found)
    assert known["magic"] == int.from_bytes(importlib.util.MAGIC_NUMBER[:2], "little")
    assert known["flags"] == flags
    if flags:
        assert known["source_hash"] == importlib.util.source_hash(SOURCE.encode()).hex()
    else:
        assert (known["source_mtime"], known["source_size"]) == (STAMP, len(SOURCE))
    code = marshal.loads(content(entries(found)["code"]))
    assert code.co_filename == "/usr/lib/python3/module.py"


def test_another_time_of_the_source_is_that_and_no_more(tmp_path: Path) -> None:
    one, other = compiled(tmp_path / "a", "timestamp"), compiled(tmp_path / "b", "timestamp", STAMP + 5)
    compared = compare(one, other)
    (told,) = [d for d in compared.differences if not d.opened]
    assert (told.field, told.name, told.before, told.after) == (Field.HEADER, "source_mtime", STAMP, STAMP + 5)
    assert told.bytes == compared.differing_bytes == cmp(one, other)[0]
    causes = {(found.cause, found.consequence_of) for found in explain(compared.differences, Facts())}
    assert causes <= {("pyc", ()), ("container", ("pyc",))} and ("pyc", ()) in causes


def test_other_code_is_no_matter_of_time(tmp_path: Path) -> None:
    one, other = compiled(tmp_path / "a", "unchecked-hash"), compiled(
        tmp_path / "b", "unchecked-hash", source=SOURCE.replace("42", "43")
    )  # fmt: skip
    compared = compare(one, other)
    assert {d.path for d in compared.differences if d.field is Field.CONTENT and not d.opened} == {("code",)}
    assert "unknown" in {found.cause for found in explain(compared.differences, Facts()) if not found.consequence_of}


def test_cut_files_are_read_or_none(tmp_path: Path) -> None:
    whole = compiled(tmp_path / "a", "timestamp").read_bytes()
    for cut in cuts(whole, 20):
        assert pyc.recognise(loaded(cut)) == (len(cut) > 16)


def test_nothing_else_is_taken_for_one() -> None:
    for other in (b"", b"a\r\r\n" + bytes(20), bytes(4) + b"\xe3" * 20, b"\xa7\r\r\n\x04\0\0\0" + b"\xe3" * 20):
        assert not pyc.recognise(loaded(other))
