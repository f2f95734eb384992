"""The kinds of virtual disks that are read, in the order in which they are asked."""

from typing import Final

from ci_toolkit.images.disks import qcow2, vdi, vhd, vhdx, vmdk
from ci_toolkit.images.format import Format

DISKS: Final = (
    Format(name="qcow2", recognise=qcow2.recognise, read=qcow2.read),
    Format(name="vmdk", recognise=vmdk.recognise, read=vmdk.read),
    Format(name="vdi", recognise=vdi.recognise, read=vdi.read),
    Format(name="vhd", recognise=vhd.recognise, read=vhd.read),
    Format(name="vhdx", recognise=vhdx.recognise, read=vhdx.read),
)
