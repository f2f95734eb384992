"""What of a directory is published, held against the words of sha256sum and skopeo."""

import json
import subprocess
from pathlib import Path

import pytest
import shelves

from ci_toolkit.errors import UnreadableError, UsageError
from ci_toolkit.publish import checksums, files


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "netboot").mkdir()
    for name in ("b.raw", "a.raw", "netboot/vmlinuz", ".hidden", "Z+1~rc.tar"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    (tmp_path / "link").symlink_to("a.raw")
    shelves.layout(tmp_path / "cloud.oci", b"layer")
    return tmp_path


def test_sha256sum_finds_every_file_as_listed(place: Path) -> None:
    found, _ = files.gather(place)
    listed = checksums.write(found, place)
    argv = ("sha256sum", "--check", "--strict", "SHA256SUMS")
    said = subprocess.run(argv, cwd=place, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said == [f"{name}: OK" for name in ("Z+1~rc.tar", "a.raw", "b.raw", "netboot/vmlinuz")]
    assert checksums.write((*found, listed), place) == listed


@pytest.mark.slow
def test_a_layout_is_the_image_that_skopeo_takes_it_for(place: Path) -> None:
    _, (container,) = files.gather(place)
    argv = ("skopeo", "inspect", "--format={{.Digest}} {{index .Layers 0}}", f"oci:{place}/cloud.oci")
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    assert said == [container.manifest.digest, container.blobs[1].digest]
    assert container.name == "cloud"


@pytest.mark.parametrize("name", ["two words", "umläut", "-begins", "new\nline", "a;b", "a'b", "%41"])
def test_a_name_that_a_target_would_change_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(UsageError, match="is no name"):
        files.gather(tmp_path)


def test_a_blob_that_has_another_digest_is_told(place: Path) -> None:
    for blob in (place / "cloud.oci/blobs/sha256").iterdir():
        kept = blob.read_bytes()
        blob.write_bytes(kept + b" ")
        with pytest.raises(UnreadableError, match="digest"):
            files.gather(place)
        blob.write_bytes(kept)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 100_000,
        "{}",
        '{"manifests": []}',
        '{"manifests": [7]}',
        '{"manifests": [{"digest": "sha256:../../../etc/passwd", "mediaType": "a"}]}',
        '{"manifests": [{}, {}]}',
    ],
)
def test_an_index_that_is_none_is_told(place: Path, text: str) -> None:
    (place / "cloud.oci/index.json").write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableError):
        files.gather(place)


def test_a_layout_of_two_images_is_told(place: Path) -> None:
    index = place / "cloud.oci/index.json"
    found = json.loads(index.read_text(encoding="utf-8"))
    index.write_text(json.dumps({"manifests": found["manifests"] * 2}), encoding="utf-8")
    with pytest.raises(UnreadableError, match="exactly one"):
        files.gather(place)


def test_what_is_no_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError):
        files.gather(tmp_path / "nothing")


def test_the_line_that_verifies_does_so_in_a_shell(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    found, _ = files.gather(place)
    checksums.write(found, place)
    line = checksums.verify_line("a.raw", place.as_uri(), signed=False)
    there = tmp_path_factory.mktemp("download")
    done = subprocess.run(("bash", "-c", line), cwd=there, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "a.raw: OK" in done.stdout
    (there / "a.raw").write_text("other", encoding="utf-8")
    check = line.rpartition("&& ")[2]
    assert subprocess.run(("bash", "-c", check), cwd=there, capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize("name", ["oci-layout", "index.json", "blobs"])
def test_a_layout_with_a_link_is_not_published(tmp_path: Path, name: str) -> None:
    shelves.layout(tmp_path / "files/cloud.oci", b"layer")
    (tmp_path / "files/cloud.oci" / name).rename(tmp_path / "elsewhere")
    (tmp_path / "files/cloud.oci" / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnreadableError, match="symbolic links"):
        files.gather(tmp_path / "files")
