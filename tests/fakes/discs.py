"""ISO images made by xorriso and genisoimage, with nothing in them by chance, and what these say of them."""

import os
from pathlib import Path

import archived
from bench import run

EPOCH = 1_700_000_000
FIXED = {"SOURCE_DATE_EPOCH": str(EPOCH)}
MAKERS = ("xorriso", "genisoimage")


def tree(root: Path) -> Path:
    """The tree of the archives, and what only a file system of discs finds hard."""
    archived.tree(root)
    # Neither Joliet nor genisoimage can say it.
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfenot UTF-8")).unlink()
    deep = root.joinpath(*(f"{level}" * 5 for level in range(1, 10)))
    deep.mkdir(parents=True)
    (deep / "bottom").write_text("at the bottom\n")
    (root / "absolute").symlink_to("/")
    (root / "dots").symlink_to("../././.." + "/x" * 100)
    (root / "many").mkdir()
    for number in range(150):
        (root / "many" / f"file {number} {'n' * (number % 40)}").write_text(f"{number}\n")
    for path in (root, *root.rglob("*")):
        os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)
    return root


def make(maker: str, image: Path, root: Path, *options: str | Path, label: str = "LABEL", epoch: int = EPOCH) -> Path:
    start = ("xorriso", "-as", "mkisofs") if maker == "xorriso" else ("genisoimage",)
    run(*start, "-quiet", "-V", label, *options, "-o", image, root, environment={"SOURCE_DATE_EPOCH": str(epoch)})
    return image


def bootable(image: Path, root: Path, *options: str | Path) -> Path:
    """Make an image with an image for BIOS and one for UEFI, which is a file system."""
    boot = root / "boot"
    boot.mkdir(exist_ok=True)
    (boot / "bios.img").write_bytes(b"\xfa\xf4" * 3000)
    if not (boot / "efi.img").exists():
        run("mkfs.fat", "-i", "12345678", "-C", boot / "efi.img", "1440", environment=FIXED)
    images = ("-b", "boot/bios.img", "-no-emul-boot", "-boot-load-size", "4", "-eltorito-alt-boot",
              "-e", "boot/efi.img", "-no-emul-boot", "-c", "boot/boot.cat")  # fmt: skip
    return make("xorriso", image, root, "-R", "-J", *images, *options)


def extracted(image: Path, target: Path) -> Path:
    """What xorriso takes out of IMAGE."""
    target.mkdir()
    run("xorriso", "-abort_on", "FAILURE", "-osirrox", "on:auto_chmod_off", "-indev", image, "-extract", "/", target)
    return target
