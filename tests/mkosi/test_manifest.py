"""What mkosi's manifest says of packages; the sample has the shape that mkosi 27.1 wrote."""

import json
from pathlib import Path

import pytest

from ci_toolkit.mkosi import manifest
from ci_toolkit.mkosi.manifest import Package

WRITTEN = {
    "manifest_version": 1,
    "config": {
        "name": "image",
        "distribution": "debian",
        "architecture": "x86-64",
        "output_format": "disk",
        "release": "trixie",
    },
    "packages": [
        {"type": "deb", "name": "zlib1g", "version": "1:1.3.1-1", "architecture": "amd64", "size": 172032},
        {"type": "deb", "name": "base-files", "version": "13.8", "architecture": "amd64", "size": 360448},
    ],
    "extension": {},
}


def manifest_of(folder: Path, content: object) -> Path:
    file = folder / "image.manifest"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def test_packages_are_listed_by_name(tmp_path: Path) -> None:
    assert manifest.read(manifest_of(tmp_path, WRITTEN)) == (
        Package(name="base-files", version="13.8", architecture="amd64"),
        Package(name="zlib1g", version="1:1.3.1-1", architecture="amd64"),
    )


def test_an_image_without_packages_has_none_and_one_without_a_manifest_is_not_known(tmp_path: Path) -> None:
    assert manifest.read(manifest_of(tmp_path, {**WRITTEN, "packages": []})) == ()
    assert manifest.read(tmp_path / "other.manifest") is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[",
        "[" * 200_000,
        "[]",
        "7",
        {},
        {"packages": None},
        {"packages": 7},
        {"packages": "abc"},
        {"packages": [7]},
        {"packages": [{"name": "a", "version": 1, "architecture": "b"}]},
        {"packages": [{"name": ["a"], "version": "1", "architecture": "b"}]},
    ],
    ids=lambda content: str(content)[:30],
)
def test_what_is_no_manifest_is_none(tmp_path: Path, content: object) -> None:
    assert manifest.read(manifest_of(tmp_path, content)) is None


def test_a_file_of_no_likely_size_or_kind_is_not_read(tmp_path: Path) -> None:
    file = manifest_of(tmp_path, WRITTEN)
    (tmp_path / "link.manifest").symlink_to(file)
    assert manifest.read(tmp_path / "link.manifest") is None
    assert manifest.read(tmp_path) is None
    with file.open("ab") as stream:
        stream.truncate(manifest.LIMIT_BYTES + 1)
    assert manifest.read(file) is None


def test_what_is_not_utf_8_is_none(tmp_path: Path) -> None:
    file = tmp_path / "image.manifest"
    file.write_bytes(b'{"packages": [], "x": "\xff"}')
    assert manifest.read(file) is None
