"""The one table of what an image can become."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from ci_toolkit.errors import UsageError

# How the size is foretold: all of the disk, the blocks of a size that are not zero, or what compression leaves.
WHOLE: Final = 0
PACKED: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One shape of an image.

    `suffix` follows the image's name; `module` is below `ci_toolkit.formats`, and its function WRITER writes the file,
    or what is in the DIRECTORY. `files` says that it is made of the root file system, not of the disk. `grain` is
    WHOLE, PACKED, or the size in bytes of the blocks that are stored.
    """

    name: str
    suffix: str
    module: str
    grain: int
    told: str
    writer: str = "write"
    directory: bool = False
    files: bool = False

    def load(self) -> Callable[..., None]:
        """Return the writer, which is given the work and where to write; its module is loaded only now."""
        function: Callable[..., None] = getattr(import_module(f"ci_toolkit.formats.{self.module}"), self.writer)
        return function


_MIB: Final = 1 << 20

FORMATS: Final = (
    Format(name="qcow2", suffix=".qcow2", module="qcow2", grain=PACKED, told="QEMU and clouds; zstd, sparse"),
    Format(name="vmdk", suffix=".vmdk", module="vmdk", grain=PACKED, told="VMware and OVF; streamOptimized"),
    Format(name="vdi", suffix=".vdi", module="vdi", grain=_MIB, told="VirtualBox; dynamic"),
    Format(name="vhd", suffix=".vhd", module="vhd", grain=2 * _MIB, told="Virtual PC, Xen; dynamic"),
    Format(name="vhdx", suffix=".vhdx", module="vhdx", grain=2 * _MIB, told="Hyper-V; dynamic"),
    Format(
        name="vagrant-libvirt", suffix=".libvirt.box", module="vagrant", writer="libvirt", grain=PACKED,
        told="a Vagrant box with a qcow2",
    ),
    Format(
        name="vagrant-virtualbox", suffix=".virtualbox.box", module="vagrant", writer="virtualbox", grain=PACKED,
        told="a Vagrant box with an OVF and a VMDK",
    ),
    Format(
        name="oci", suffix=".oci", module="oci", writer="layout", grain=PACKED, directory=True, files=True,
        told="a directory in the OCI image layout, of the root file system",
    ),
    Format(
        name="docker-archive", suffix=".docker.tar", module="oci", writer="archive", grain=WHOLE, files=True,
        told="what `docker load` reads, of the root file system",
    ),
    Format(
        name="tar.zst", suffix=".tar.zst", module="archive", grain=PACKED, files=True,
        told="the root file system as a tar archive",
    ),
    Format(
        name="netboot", suffix=".netboot", module="netboot", grain=PACKED, directory=True, files=True,
        told="a directory with kernel, initrd, root and a script for iPXE",
    ),
    Format(
        name="iso", suffix=".iso", module="iso", grain=WHOLE, told="a disc, of a disk that is one (ElTorito=yes)",
    ),
    Format(
        name="gce", suffix=".gce.tar.gz", module="gce", grain=PACKED,
        told="Google Compute Engine; disk.raw in a tar.gz",
    ),
    Format(
        name="azure", suffix=".azure.vhd", module="vhd", writer="fixed", grain=WHOLE,
        told="Azure; a fixed VHD of whole MiB",
    ),
)  # fmt: skip

# Names that are asked for, and why there is no such format.
REFUSED: Final = {
    "raw": ("the raw disk is what all others are made of", "Take the image itself, or unpack it with qemu-img."),
}


def find(names: str) -> tuple[Format, ...]:
    """Return the formats of NAMES, which commas join, each once. Raises UsageError for one that there is not."""
    known = {one.name: one for one in FORMATS}
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if name in REFUSED:
            message, hint = REFUSED[name]
            raise UsageError(f"{name}: {message}", hint=hint)
        if name not in known:
            raise UsageError(f"there is no format {name!r}", hint=f"Formats: {', '.join(known)}.")
    if not wanted:
        raise UsageError("no format is named", hint=f"Formats: {', '.join(known)}.")
    return tuple(known[name] for name in dict.fromkeys(wanted))
