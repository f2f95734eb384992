"""The kinds of virtual disks that are read, in the order in which they are asked."""

from typing import Final

from ci_toolkit.images.format import Format, has, has_any

DISKS: Final = (
    Format(name="qcow2", sign=has(b"QFI\xfb"), module="disks.qcow2"),
    Format(name="vmdk", sign=has(b"KDMV", b"# Disk DescriptorFile"), module="disks.vmdk"),
    Format(name="vdi", sign=has(b"\x7f\x10\xda\xbe", at=64), module="disks.vdi"),
    Format(name="vhd", sign=has_any(has(b"conectix"), has(b"conectix", at=-512)), module="disks.vhd"),
    Format(name="vhdx", sign=has(b"vhdxfile"), module="disks.vhdx"),
)
