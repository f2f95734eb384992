"""Which modules an initrd was given."""

from pathlib import Path

import pytest
from bench import cause, compared, differs, run, shows

from ci_toolkit.compare.difference import Field

DRIVERS = "usr/lib/modules/6.12.1/kernel/drivers"


def initrd(place: Path, *modules: str) -> Path:
    """Pack MODULES as mkinitcpio does after its hook autodetect has chosen them."""
    for module in modules:
        (place / module).parent.mkdir(parents=True, exist_ok=True)
        (place / module).write_bytes(b"\x7fELF")
    run("find", ".", "-exec", "touch", "--date=@1", "{}", "+", cwd=place)
    names = b"\n".join(sorted(run("find", ".", "-mindepth", "1", cwd=place).split()))
    image = place.with_suffix(".img")
    image.write_bytes(run("cpio", "-o", "-H", "newc", "--quiet", "--reproducible", stdin=names, cwd=place))
    return image


@shows("initrd-modules", by="cpio")
def test_a_module_that_one_initrd_was_not_given_is_named(tmp_path: Path) -> None:
    first = initrd(tmp_path / "a", f"{DRIVERS}/virtio/virtio_blk.ko.zst", f"{DRIVERS}/nvme/nvme.ko.zst")
    second = initrd(tmp_path / "b", f"{DRIVERS}/virtio/virtio_blk.ko.zst")
    found = compared(first, second)
    assert found["initrd-modules"].count == 1
    assert "mkinitcpio -S autodetect" in found["initrd-modules"].fix


def test_modules_of_a_kernel_that_the_other_lacks_are_another_matter(tmp_path: Path) -> None:
    first = initrd(tmp_path / "a", f"{DRIVERS}/virtio/virtio_blk.ko.zst")
    second = initrd(tmp_path / "b", f"{DRIVERS.replace('6.12.1', '6.12.2')}/virtio/virtio_blk.ko.zst")
    found = compared(first, second)
    assert "kernel-version" in found
    assert "initrd-modules" not in found


@pytest.mark.parametrize("container", ["ext4", "tar"])
def test_modules_outside_of_an_initrd_are_unknown(container: str) -> None:
    path = f"{DRIVERS}/nvme/nvme.ko.zst"
    assert cause(differs(path, Field.PRESENCE, "file", None, container=container)) == "unknown"
