"""One file of an image, which another program put there."""

import os
from pathlib import Path

import disks
import pytest
from bench import run

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import one

PATH = "var/lib/dpkg/status"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("source") / "tree"
    (tree / PATH).parent.mkdir(parents=True)
    (tree / PATH).write_bytes(os.urandom(300_000))
    (tree / "lib").symlink_to("var/lib")
    (tree / "empty").touch()
    return tree


@pytest.mark.parametrize("kind", ["ext4", "tar", "tar.zst", "disk"])
def test_it_is_found_wherever_it_lies(tree: Path, tmp_path: Path, kind: str) -> None:
    image = tmp_path / "image"
    match kind:
        case "ext4":
            image = disks.ext4(image, tree)
        case "disk":
            esp, root = disks.fat(tmp_path / "esp", {"EFI/a.efi": b"y" * 70_000}), disks.ext4(tmp_path / "root", tree)
            image = disks.gpt(image, {"esp": esp, "root": root})
        case _:
            run("tar", "-c", "-f", image, "-C", tree, ".")
            image = disks.zstd(image) if kind == "tar.zst" else image
    content = (tree / PATH).read_bytes()
    assert one.read(image, PATH, len(content)) == content
    assert one.read(image, "empty", 10) == b""
    for none in ("var/lib/dpkg", "lib/dpkg/status", "status", "", "/var/lib/dpkg/status"):
        assert one.read(image, none, 1_000_000) is None
    with pytest.raises(UnreadableError, match="larger than 299,999 bytes"):
        one.read(image, PATH, 299_999)


def test_what_is_no_image_has_no_file(tmp_path: Path) -> None:
    for name, content in (("text", b"var/lib/dpkg/status\n"), ("nothing", b""), ("noise", os.urandom(5_000))):
        (tmp_path / name).write_bytes(content)
        assert one.read(tmp_path / name, PATH, 100) is None


def test_what_is_damaged_or_not_there_is_told(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableError):
        one.read(tmp_path / "none", PATH, 100)
    with pytest.raises(UnreadableError):
        one.read(tmp_path, PATH, 100)
    archive = tmp_path / "a.tar"
    run("tar", "-c", "-f", archive, "-C", tree, ".")
    os.truncate(archive, 100_000)
    with pytest.raises(UnreadableError):
        one.read(archive, PATH, 1_000_000)
