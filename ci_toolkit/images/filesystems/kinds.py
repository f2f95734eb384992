"""The kinds of file systems that are read, in the order in which they are asked."""

from typing import Final

from ci_toolkit.images.filesystems import btrfs, erofs, ext4, f2fs, fat, iso9660, luks, squashfs, swap, verity, xfs
from ci_toolkit.images.format import Format

# Apart, because a hybrid image has a partition table too.
ISO9660: Final = Format(name="iso9660", recognise=iso9660.recognise, read=iso9660.read)

FILESYSTEMS: Final = (
    Format(name="ext4", recognise=ext4.recognise, read=ext4.read),
    Format(name="btrfs", recognise=btrfs.recognise, read=btrfs.read),
    Format(name="xfs", recognise=xfs.recognise, read=xfs.read),
    Format(name="f2fs", recognise=f2fs.recognise, read=f2fs.read),
    Format(name="erofs", recognise=erofs.recognise, read=erofs.read),
    Format(name="squashfs", recognise=squashfs.recognise, read=squashfs.read),
    Format(name="vfat", recognise=fat.recognise, read=fat.read),
    Format(name="swap", recognise=swap.recognise, read=swap.read),
    Format(name="luks", recognise=luks.recognise, read=luks.read),
    Format(name="verity", recognise=verity.recognise, read=verity.read),
    Format(name="verity-signature", recognise=verity.is_signature, read=verity.read_signature),
)
