import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.errors import UnreadableError
from ci_toolkit.records import sums


def test_what_sha256sum_writes_is_read(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    names = ["image.raw", "a b", "sub/x", "back\\slash", "new\nline", "ü"]
    for name in names:
        (tmp_path / name).write_text(name)
    for option in ("--text", "--binary"):
        written = subprocess.run(
            ("sha256sum", option, *names), cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout
        found = sums.parse(written.encode())
        assert list(found) == names
        for name, digest in found.items():
            told = subprocess.run(("sha256sum",), input=name, check=True, capture_output=True, text=True).stdout
            assert told.split()[0] == digest


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"\xff",
        b"0" * 64,
        b"0" * 64 + b"  ",
        b"0" * 63 + b"  x",
        b"0" * 64 + b"  /etc/passwd",
        b"0" * 64 + b"  ../x",
        b"0" * 64 + b"  a/../../x",
        b"\\" + b"0" * 64 + b"  a\\n/../../x",
        b"0" * 64 + b"  a\0b",
        b"0" * 64 + b"  x\n" + b"1" * 64 + b"  ./x",
        b"".join(b"%064x  %d\n" % (number, number) for number in range(10_001)),
    ],
)
def test_anything_else_is_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(UnreadableError) as refused:
        sums.parse(content)
    assert "\n" not in refused.value.message


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_whatever_it_is_no_name_leads_out(content: bytes) -> None:
    try:
        found = sums.parse(b"0" * 64 + b"  " + content)
    except UnreadableError:
        return
    assert not any(name.startswith("/") or ".." in name.split("/") for name in found)
