"""Lists of checksums, by the programs that make them."""

from pathlib import Path

import pytest
from bench import cause, changed, run, shows, together


def sums(program: str, directory: Path, content: str) -> bytes:
    directory.mkdir()
    (directory / "file").write_text(content)
    return run(program, "file", cwd=directory)


@pytest.mark.parametrize("program", ["md5sum", "sha1sum", "sha256sum", "sha512sum"])
@shows("checksum-list", by="sha256sum")
def test_sums_follow_from_what_they_are_of(tmp_path: Path, program: str) -> None:
    run("sha256sum", "--version")
    first, second = (sums(program, tmp_path / name, name) for name in ("a", "b"))
    listed = changed("usr/share/thing/SHA256SUMS", first, second)
    told = together(listed, changed("var/log/thing", b"a", b"b"))
    assert told["checksum-list"].consequence_of == ("log-file",)
    assert cause(listed) == "unknown"


def test_a_list_that_names_another_file_is_no_consequence(tmp_path: Path) -> None:
    first = sums("sha256sum", tmp_path / "a", "a")
    second = sums("sha256sum", tmp_path / "b", "b").replace(b"file", b"other")
    told = together(changed("usr/share/SHA256SUMS", first, second), changed("var/log/thing", b"a", b"b"))
    assert set(told) == {"unknown", "log-file"}
