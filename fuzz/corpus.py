"""What the fuzz run begins with: a row for each image."""

from dataclasses import dataclass
from typing import Final

from fuzz import makers, seal
from fuzz.makers import Maker
from fuzz.seal import Seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """One image to begin with; `seal` rights the checksums without which a reader would not look further.

    `pack` is the program that compresses what `make` made: it is damaged before, or after.
    """

    format: str
    make: Maker
    seal: Seal | None = None
    pack: tuple[str, ...] = ()


SEEDS: Final = (
    Seed(format="gpt", make=makers.gpt, seal=seal.gpt),
    Seed(format="mbr", make=makers.mbr),
    Seed(format="ext4", make=makers.mke2fs("-t", "ext4")),
    Seed(format="ext4", make=makers.mke2fs("-t", "ext2", "-I", "128", size=makers.MIB // 2)),
    Seed(format="ext4", make=makers.mke2fs("-t", "ext4", "-O", "inline_data,64bit,metadata_csum", "-I", "256")),
    Seed(format="btrfs", make=makers.btrfs),
    Seed(format="xfs", make=makers.xfs),
    Seed(format="f2fs", make=makers.f2fs(), seal=seal.f2fs),
    Seed(format="f2fs", make=makers.f2fs("-O", "extra_attr,inode_checksum,sb_checksum"), seal=seal.f2fs),
    Seed(format="squashfs", make=makers.mksquashfs("-noI", "-noD", "-noF", "-noX")),
    Seed(format="squashfs", make=makers.mksquashfs("-comp", "zstd", "-b", "4096")),
    Seed(format="erofs", make=makers.erofs()),
    Seed(format="erofs", make=makers.erofs("-zlz4")),
    Seed(format="vfat", make=makers.fat),
    Seed(format="iso9660", make=makers.iso),
    Seed(format="swap", make=makers.swap),
    Seed(format="qcow2", make=makers.virtual("qcow2", "cluster_size=4k")),
    Seed(format="vmdk", make=makers.virtual("vmdk")),
    Seed(format="vmdk", make=makers.virtual("vmdk", "subformat=streamOptimized")),
    Seed(format="vdi", make=makers.virtual("vdi")),
    Seed(format="vhd", make=makers.virtual("vpc"), seal=seal.vhd),
    Seed(format="vhdx", make=makers.virtual("vhdx")),
    Seed(format="luks", make=makers.luks(1)),
    Seed(format="luks", make=makers.luks(2)),
    Seed(format="verity", make=makers.verity),
    Seed(format="verity-signature", make=makers.verity_signature),
    Seed(format="pe", make=makers.pe),
    Seed(format="elf", make=makers.object_file),
    Seed(format="elf", make=makers.elf),
    Seed(format="pyc", make=makers.pyc),
    Seed(format="sqlite", make=makers.sqlite),
    Seed(format="ld.so.cache", make=makers.ldconfig("etc/ld.so.cache")),
    Seed(format="aux-cache", make=makers.ldconfig("var/cache/ldconfig/aux-cache")),
    Seed(format="hwdb", make=makers.hwdb),
    Seed(format="catalog", make=makers.catalog),
    Seed(format="oci", make=makers.oci, seal=seal.tar),
    Seed(format="oci", make=makers.docker, seal=seal.tar),
    Seed(format="tar", make=makers.tar("--format=gnu", "--sparse"), seal=seal.tar),
    Seed(format="tar", make=makers.tar("--format=pax"), seal=seal.tar),
    Seed(format="cpio", make=makers.cpio("newc")),
    Seed(format="cpio", make=makers.cpio("odc")),
    Seed(format="cpio", make=makers.cpio("bin")),
    Seed(format="ar", make=makers.ar),
    Seed(format="rpm", make=makers.rpm),
    Seed(format="zip", make=makers.zip_archive),
    Seed(format="zstd", make=makers.mke2fs("-t", "ext4"), pack=("zstd", "-c")),
    Seed(format="xz", make=makers.cpio("newc"), pack=("xz", "-c")),
    Seed(format="lzma", make=makers.cpio("newc"), pack=("xz", "-Flzma", "-c")),
    Seed(format="lz4", make=makers.cpio("newc"), pack=("lz4", "-c")),
    Seed(format="gzip", make=makers.tar("--format=pax"), seal=seal.tar, pack=("gzip", "-nc")),
    Seed(format="bzip2", make=makers.tar("--format=gnu"), seal=seal.tar, pack=("bzip2", "-c")),
)
