import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.errors import UnreadableError
from ci_toolkit.mkosi.manifest import Package
from ci_toolkit.releases import contents
from ci_toolkit.releases.contents import Contents, Image

PACKAGE = Package(name="zlib1g", architecture="amd64", version="1:1.3")
IMAGE = Image(name="cloud", file="cloud.raw", size=7, sha256="0" * 64, packages=(PACKAGE,))
CONTENTS = Contents(
    version="2026.11.28", commit="a" * 40, images=(IMAGE,), files=(("cloud.qcow2", 3), ("cloud.raw", 7))
)


def test_what_was_written_is_read_again() -> None:
    assert contents.parse(contents.render(CONTENTS).encode()) == CONTENTS


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"schema": 2, "version": "1", "commit": null, "images": []}',
        b'{"schema": 1, "version": 1, "commit": null, "images": []}',
        b'{"schema": 1, "version": "1", "commit": null, "images": [], "files": {"a": -1}}',
        b'{"schema": 1, "version": "1", "commit": null, "images": [], "files": {"a": "1"}}',
        b'{"schema": 1, "version": "1", "commit": null, "images": [], "files": ["a"]}',
        b'{"schema": 1, "version": "1", "commit": null, "images": 7}',
        b'{"schema": 1, "version": "1", "commit": null, "images": [{"name": "a"}]}',
        b'{"schema": 1, "version": "1", "commit": null, "images": [{"name": "a", "file": "b", "size": -1, '
        b'"sha256": "", "packages": null}]}',
        b'{"schema": 1, "version": "1", "commit": null, "images": [{"name": "a", "file": "b", "size": 1, '
        b'"sha256": "", "packages": [["a"]]}]}',
    ],
)
def test_what_is_no_release_is_told(data: bytes) -> None:
    with pytest.raises(UnreadableError, match=r"release\.json"):
        contents.parse(data)


def test_what_an_earlier_version_wrote_tells_of_no_files() -> None:
    found = contents.parse(b'{"schema": 1, "version": "1", "commit": null, "images": []}')
    assert found.files == ()


@given(st.binary())
def test_bytes_of_any_kind_are_no_traceback(data: bytes) -> None:
    with pytest.raises(UnreadableError):
        contents.parse(data)
