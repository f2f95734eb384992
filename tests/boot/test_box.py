"""Disks that have to be unpacked first, made by our converters, qemu-img, zstd and tar; and the real Vagrant."""

import io
import json
import shutil
from pathlib import Path

import pytest
from bench import PATH, run
from bootable import Converted

from ci_toolkit.boot import box, subject
from ci_toolkit.boot.image import Image
from ci_toolkit.boot.outcome import Boot
from ci_toolkit.console import Console
from ci_toolkit.errors import UnreadableError

pytestmark = pytest.mark.slow

CONSOLE = Console(narration=io.StringIO())
UP = (Boot(firmware="uefi", accelerator="tcg", sign="a login prompt"), Boot(firmware="bios", accelerator="tcg"))


def room(tmp_path: Path) -> Path:
    place = tmp_path / "room"
    place.mkdir()
    return place


@pytest.mark.parametrize("name", ["vagrant-libvirt", "vagrant-virtualbox", "gce"])
def test_the_disk_in_an_archive_is_the_one_that_went_in(
    tmp_path: Path, converted: Converted, disk: Path, name: str
) -> None:
    place = room(tmp_path)
    with subject.opened(converted(name), place, CONSOLE) as found:
        assert isinstance(found, Image)
        run("qemu-img", "compare", "-q", "-f", "raw", "-F", "raw", found.path, disk)
        assert (found.title, found.format) == (converted(name).name, "raw")
        assert found.provider == (name.removeprefix("vagrant-") if name != "gce" else "")
        # No more is written than what is not zero.
        assert found.path.stat().st_blocks * 512 < disk.stat().st_size
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("kind", ["vmdk", "vdi", "vpc", "vhdx"])
def test_disks_of_other_programs_are_unpacked(tmp_path: Path, disk: Path, kind: str) -> None:
    image = tmp_path / f"disk.{kind}"
    run("qemu-img", "convert", "-f", "raw", "-O", kind, disk, image)
    with subject.opened(image, room(tmp_path), CONSOLE) as found:
        assert isinstance(found, Image)
        run("qemu-img", "compare", "-q", "-f", "raw", "-F", "raw", found.path, disk)
        assert found.provider == ""


def test_a_disk_that_was_compressed_is_unpacked(tmp_path: Path, disk: Path) -> None:
    image = tmp_path / "disk.raw.zst"
    run("zstd", "-q", "-o", image, disk)
    with subject.opened(image, room(tmp_path), CONSOLE) as found:
        assert isinstance(found, Image)
        run("cmp", found.path, disk)


def test_a_raw_disk_is_taken_as_it_is(tmp_path: Path, disk: Path) -> None:
    with subject.opened(disk, room(tmp_path), CONSOLE) as found:
        assert isinstance(found, Image)
        assert found.path == disk
        assert found.box is None


def packed(tmp_path: Path, files: dict[str, bytes]) -> Path:
    """A box with FILES, by tar."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for name, content in files.items():
        (tree / name).write_bytes(content)
    run("tar", "-c", "-z", "-f", tmp_path / "some.box", "-C", tree, *files)
    return tmp_path / "some.box"


def test_the_disk_that_the_metadata_names_is_taken(tmp_path: Path, disk: Path) -> None:
    told = json.dumps({"provider": "libvirt", "disks": [{"path": "z.img", "format": "raw"}]}).encode()
    image = packed(tmp_path, {"metadata.json": told, "a.img": b"no disk" * 100, "z.img": disk.read_bytes()})
    with subject.opened(image, room(tmp_path), CONSOLE) as found:
        assert isinstance(found, Image)
        run("cmp", found.path, disk)


@pytest.mark.parametrize(
    "files", [{"readme": b"x"}, {"metadata.json": b"[", "readme": b"x"}, {"metadata.json": b'{"disks": [3]}'}]
)
def test_an_archive_without_a_disk_is_refused(tmp_path: Path, files: dict[str, bytes]) -> None:
    place = room(tmp_path)
    with pytest.raises(UnreadableError, match="holds no disk"), subject.opened(packed(tmp_path, files), place, CONSOLE):
        pass
    assert list(place.iterdir()) == []


def test_a_disk_in_a_box_that_names_another_file_is_refused(tmp_path: Path) -> None:
    base = tmp_path / "base.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", base, "8M")
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", tmp_path / "top")
    image = packed(tmp_path, {"metadata.json": b"{}", "box.img": (tmp_path / "top").read_bytes()})
    with pytest.raises(UnreadableError), subject.opened(image, room(tmp_path), CONSOLE):
        pass


def test_what_is_cut_is_refused(tmp_path: Path, converted: Converted) -> None:
    image = tmp_path / "cut.box"
    image.write_bytes(converted("vagrant-libvirt").read_bytes()[:100_000])
    with pytest.raises(UnreadableError), subject.opened(image, room(tmp_path), CONSOLE):
        pass


def needs_vagrant() -> None:
    if shutil.which("vagrant", path=PATH) is None:
        pytest.skip("vagrant is not installed")


@pytest.mark.parametrize("provider", ["libvirt", "virtualbox"])
def test_vagrant_takes_the_box_and_nothing_is_left_of_it(tmp_path: Path, converted: Converted, provider: str) -> None:
    needs_vagrant()
    place = room(tmp_path)
    first, second = box.added(UP, converted(f"vagrant-{provider}"), provider, place, CONSOLE)
    (check,) = first.checks
    assert (check.name, check.exit_code) == ("vagrant box add", 0), check.output
    assert f"Successfully added box 'ci-toolkit-boot' (v0) for '{provider}" in check.output
    assert second.checks == ()
    assert list(place.iterdir()) == []


def test_a_box_that_vagrant_does_not_take_fails(tmp_path: Path) -> None:
    needs_vagrant()
    image = packed(tmp_path, {"metadata.json": b"{}", "box.img": bytes(512)})
    first, _ = box.added(UP, image, "libvirt", room(tmp_path), CONSOLE)
    assert first.checks[0].exit_code not in (0, None)
    assert "box" in first.checks[0].output


def test_where_there_is_no_vagrant_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box, "MINIMAL", {"PATH": str(tmp_path)})
    first, _ = box.added(UP, tmp_path / "box", "libvirt", tmp_path, CONSOLE)
    assert first.checks == ()
    assert first.notes[0].startswith("Vagrant is not installed here")
