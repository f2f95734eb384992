"""Checksums set right again, where a reader would not look further without."""

import struct
import zlib
from collections.abc import Callable
from typing import Final

from ci_toolkit.images.filesystems.f2fs_superblock import checksum
from fuzz.image import Image

Seal = Callable[[Image], None]

_TAR_BLOCK: Final = 512
_GPT_HEADER_MAX: Final = 512


def tar(image: Image) -> None:
    """Right the checksums of all that looks like a header."""
    for start in range(0, image.size, _TAR_BLOCK):
        head = image.read(start, _TAR_BLOCK)
        if len(head) == _TAR_BLOCK and head[257:262] == b"ustar":
            total = sum(head) - sum(head[148:156]) + 8 * 0x20
            image.write(start + 148, b"%06o\0 " % total)


def gpt(image: Image) -> None:
    """Right the checksums of both tables, wherever their headers say these are."""
    last = image.size // 512 * 512 - 512
    for start in (512, last):
        head = bytearray(image.read(start, _GPT_HEADER_MAX))
        if head[:8] != b"EFI PART":
            continue
        table, count, size = struct.unpack_from("<QII", head, 72)
        struct.pack_into("<I", head, 88, zlib.crc32(image.read(min(table, 1 << 40) * 512, min(count * size, 1 << 20))))
        length = min(struct.unpack_from("<I", head, 12)[0], _GPT_HEADER_MAX)
        struct.pack_into("<I", head, 16, 0)
        struct.pack_into("<I", head, 16, zlib.crc32(head[:length]))
        image.write(start, bytes(head))


def vhd(image: Image) -> None:
    """Right the checksums of the footer and its copy."""
    for start in (0, image.size - 512):
        footer = image.read(start, 512) if start >= 0 else b""
        if footer[:8] == b"conectix":
            image.write(start + 64, struct.pack(">I", ~(sum(footer) - sum(footer[64:68])) & 0xFFFFFFFF))


def f2fs(image: Image) -> None:
    """Right the checksums of both superblocks, and of what looks like the ends of a checkpoint."""
    for start in (1024, 4096 + 1024):
        image.write(start + 3068, struct.pack("<I", checksum(image.read(start, 3068))))
    (first,) = struct.unpack("<I", image.read(1024 + 76, 4))
    for pack in (first, first + 512):
        blocks = min(int.from_bytes(image.read(pack * 4096 + 136, 4), "little"), 512)
        for block in (pack, pack + blocks - 1):
            raw = image.read(block * 4096, 4096)
            if len(raw) == 4096 and raw[164:168] == b"\xfc\x0f\0\0":
                image.write(block * 4096 + 4092, struct.pack("<I", checksum(raw[:4092])))
