"""The files of images, against find(1), and against bsdtar where another program has made them."""

import os
import random
import zlib
from pathlib import Path

import archived
import disks
import packaged
import pytest
from bench import run

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import listing
from ci_toolkit.images.entry import Kind
from ci_toolkit.images.limits import BeyondLimitError
from ci_toolkit.images.listing import Listed


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archived.tree(tmp_path_factory.mktemp("source") / "tree")


def found_by_find(tree: Path) -> dict[str, int]:
    """What find prints of all but directories; the size of what is no file is told as 0."""
    printed = run("find", tree, "-not", "-type", "d", "-printf", r"%y %s %P\0").split(b"\0")
    rows = (line.split(b" ", 2) for line in printed if line)
    return {os.fsdecode(path): int(size) if kind == b"f" else 0 for kind, size, path in rows}


def sizes(image: Path, prefix: str = "") -> dict[str, int]:
    files = listing.read(image)
    assert files is not None
    assert [one.path for one in files] == sorted(one.path for one in files)
    return {one.path.removeprefix(prefix): one.size for one in files if one.path.startswith(prefix)}


def test_a_directory_holds_what_find_prints(tree: Path) -> None:
    assert sizes(tree) == found_by_find(tree)


def test_an_archive_holds_what_went_into_it_compressed_or_not(tree: Path, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    run("tar", "-c", "-f", archive, "--sparse", "-C", tree, ".")
    wanted = found_by_find(tree)
    found = sizes(archive)
    # Later links to a file are of the kind that has no size there.
    assert found.keys() == wanted.keys() - {path for path in wanted if (tree / path).is_socket()}
    assert all(found[path] in (size, 0) for path, size in wanted.items() if path in found)
    assert sizes(disks.zstd(archive)) == found


def test_a_disk_names_the_partition_first(tmp_path: Path) -> None:
    (tmp_path / "tree/etc").mkdir(parents=True)
    (tmp_path / "tree/etc/passwd").write_bytes(b"x" * 5_000)
    (tmp_path / "tree/link").symlink_to("etc/passwd")
    root = disks.ext4(tmp_path / "root", tmp_path / "tree")
    esp = disks.fat(tmp_path / "esp", {"EFI/a.efi": b"y" * 70_000})
    image = disks.gpt(tmp_path / "image.raw", {"esp": esp, "a/b": root})
    assert listing.read(image) == (
        Listed("1:esp/EFI/a.efi", Kind.FILE, 70_000),
        Listed("2:a_b/etc/passwd", Kind.FILE, 5_000),
        Listed("2:a_b/link", Kind.SYMLINK, 0),
    )
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", image, tmp_path / "image.qcow2")
    assert listing.read(tmp_path / "image.qcow2") == listing.read(image)


@pytest.mark.parametrize("form", ["oci", "oci-archive"])
def test_a_container_image_names_the_layer_first(form: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "etc").mkdir(parents=True)
        (tmp_path / name / "etc" / name).write_text(name)
    layers = [packaged.layer(tmp_path / name, "etc") for name in ("one", "two")]
    image = packaged.layout(tmp_path / "layout", layers, created=packaged.CREATED)
    if form != "oci":
        packaged.copied(f"oci:{image}", f"{form}:{tmp_path / 'image.tar'}")
        image = tmp_path / "image.tar"
    found = sizes(image)
    assert (found["layer 1/etc/one"], found["layer 2/etc/two"]) == (3, 3)


def test_what_holds_no_files_has_no_list(tmp_path: Path) -> None:
    for name, content in (("empty", b""), ("text", b"words\n"), ("noise", random.Random(1).randbytes(70_000))):
        (tmp_path / name).write_bytes(content)
        assert listing.read(tmp_path / name) is None
    # A program is a container too, but not of files.
    assert listing.read(Path("/bin/true").resolve()) is None


def test_what_is_cut_is_refused(tree: Path, tmp_path: Path) -> None:
    archive = tmp_path / "a.cpio"
    disks.cpio(archive, tree, *(path.name for path in tree.iterdir() if path.name.isascii() and path.is_file()))
    assert listing.read(archive)
    archive.write_bytes(archive.read_bytes()[:-3_000])
    with pytest.raises(UnreadableError):
        listing.read(archive)
    for path in (tmp_path / "none", Path("/dev/null")):
        with pytest.raises(UnreadableError):
            listing.read(path)


def test_streams_within_streams_end(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"")
    for _ in range(200):
        target.write_bytes(run("gzip", "-c", "-1", stdin=target.read_bytes()))
    with pytest.raises(BeyondLimitError, match="more than 128"):
        listing.read(target)


def test_names_that_are_no_utf_8_are_those_of_the_archive(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    raw = b"na\xffme \n#=\\\xc3\xbc"
    with open(os.path.join(os.fsencode(tmp_path / "tree"), raw), "wb") as file:  # noqa: PTH118, PTH123  bytes
        file.write(b"abc")
    assert sizes(tmp_path / "tree") == {raw.decode("utf-8", "surrogateescape"): 3}


def test_partitions_that_all_hold_the_same_files_are_not_followed_for_ever(tmp_path: Path) -> None:
    """Each of 128 entries of the table leads to the same file system, which is listed once for each."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(100):
        (tree / f"{number}").touch()
    image = disks.gpt(tmp_path / "image.raw", {"a": disks.ext4(tmp_path / "root", tree)})
    assert len(listing.read(image) or ()) == 100
    data = bytearray(image.read_bytes())
    entry = data[2 * disks.SECTOR : 2 * disks.SECTOR + 128]
    data[2 * disks.SECTOR : 2 * disks.SECTOR + 128 * 128] = entry * 128
    header = data[disks.SECTOR : disks.SECTOR + 92]
    header[88:92] = zlib.crc32(entry * 128).to_bytes(4, "little")
    header[16:20] = bytes(4)
    header[16:20] = zlib.crc32(header).to_bytes(4, "little")
    data[disks.SECTOR : disks.SECTOR + 92] = header
    image.write_bytes(data)
    with pytest.raises(BeyondLimitError):
        listing.read(image)
