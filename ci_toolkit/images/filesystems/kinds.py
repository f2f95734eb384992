"""The kinds of file systems that are read, in the order in which they are asked."""

from typing import Final

from ci_toolkit.images.format import Format, has, has_any

_PAGES: Final = (4096, 8192, 16384, 32768, 65536)

# Apart, because a hybrid image has a partition table too.
ISO9660: Final = Format(name="iso9660", sign=has(b"CD001", at=0x8001), module="filesystems.iso9660")

FILESYSTEMS: Final = (
    Format(
        name="ext4", sign=has(b"\x53\xef", at=0x438), module="filesystems.ext4", pair="filesystems.ext4_pair"
    ),
    Format(name="btrfs", sign=has(b"_BHRfS_M", at=0x10040), module="filesystems.btrfs"),
    Format(name="xfs", sign=has(b"XFSB"), module="filesystems.xfs"),
    Format(name="f2fs", sign=has(b"\x10\x20\xf5\xf2", at=0x400), module="filesystems.f2fs"),
    Format(name="erofs", sign=has(b"\xe2\xe1\xf5\xe0", at=0x400), module="filesystems.erofs"),
    Format(name="squashfs", sign=has(b"hsqs"), module="filesystems.squashfs"),
    Format(name="vfat", sign=has(b"\x55\xaa", at=510), module="filesystems.fat"),
    Format(
        name="swap", sign=has_any(*(has(b"SWAPSPACE2", at=page - 10) for page in _PAGES)), module="filesystems.swap"
    ),
    Format(name="luks", sign=has(b"LUKS\xba\xbe"), module="filesystems.luks"),
    Format(name="verity", sign=has(b"verity\0\0"), module="filesystems.verity"),
    Format(
        name="verity-signature", sign=has(b"{"), module="filesystems.verity",
        recogniser="is_signature", reader="read_signature",
    ),
)  # fmt: skip
