"""The caches of ldconfig: where each library is, and what of each library was seen when."""

import struct
from collections.abc import Iterator
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.databases import lines
from ci_toolkit.images.entry import Container, Fact, text
from ci_toolkit.images.limits import MIB, Budget

_OLD: Final = b"ld.so-1.7.0\0"
_NEW: Final = b"glibc-ld.so.cache1.1"
_AUXILIARY: Final = b"glibc-ld.so.auxcache-"
_EXTENSIONS: Final = 0xEAA42174
_GENERATOR: Final = 0
_CAPABILITIES: Final = 1
_NAMED_CAPABILITY: Final = 1 << 62
_BIG: Final = 3
_SIZE_MAX: Final = 64 * MIB
_NAME_MAX: Final = 4096

_KINDS: Final = {0: "libc4", 1: "ELF", 2: "libc5", 3: "libc6"}
_MACHINES: Final = {
    0x0000: "",
    0x0100: "64bit",
    0x0200: "IA-64",
    0x0300: "x86-64",
    0x0400: "64bit",
    0x0500: "64bit",
    0x0600: "N32",
    0x0700: "64bit",
    0x0800: "x32",
    0x0900: "hard-float",
    0x0A00: "AArch64",
    0x0B00: "soft-float",
    0x0F00: "soft-float",
    0x1000: "double-float",
}


def is_cache(data: Data) -> bool:
    return data.read_at(0, len(_NEW)) == _NEW or data.read_at(0, len(_OLD)) == _OLD


def is_auxiliary(data: Data) -> bool:
    return data.read_at(0, len(_AUXILIARY)) == _AUXILIARY


def read_cache(data: Data, budget: Budget) -> Container:
    """Read what `ldconfig -p` prints. Raises UnreadableError when it is damaged or cut."""
    raw = _whole(data, budget)
    start = _old_size(raw) if raw.startswith(_OLD) else 0
    cache = raw[start:]
    if not cache.startswith(_NEW):
        raise UnreadableError("a cache of ldconfig of a form that no system has had for twenty years")
    order = ">" if len(cache) > 28 and cache[28] == _BIG else "<"
    try:
        count, _, _, extensions = struct.unpack_from(f"{order}IIB3xI", cache, len(_NEW))
        found = dict(_extensions(cache, extensions, order)) if extensions else {}
        names = struct.unpack(f"{order}{len(found.get(_CAPABILITIES, b'')) // 4}I", found.get(_CAPABILITIES, b""))
        if 48 + 24 * count > len(cache):
            raise UnreadableError(f"the cache of ldconfig lists {count} libraries, and is cut before them")
        listed = lines.entry("libraries", _libraries(cache, count, names, order), budget)
    except (struct.error, OverflowError) as error:
        raise UnreadableError("the cache of ldconfig is damaged or cut") from error
    generator = text(found.get(_GENERATOR, b"").rstrip(b"\0"))
    return Container(
        format="ld.so.cache",
        entries=(listed,),
        facts=(Fact(name="generator", value=generator),),
        remainder="records of libraries",
    )


def read_auxiliary(data: Data, budget: Budget) -> Container:
    """Read what was seen of each library. Raises UnreadableError when it is damaged or cut."""
    raw = _whole(data, budget)
    try:
        count, _ = struct.unpack_from("<II", raw, 24)
        if 32 + 48 * count > len(raw):
            raise UnreadableError(f"the cache of ldconfig lists {count} libraries, and is cut before them")
        listed = lines.entry("libraries", _seen(raw, count), budget)
    except (struct.error, OverflowError) as error:
        raise UnreadableError("the cache of ldconfig is damaged or cut") from error
    return Container(format="aux-cache", entries=(listed,), remainder="records of libraries")


def _whole(data: Data, budget: Budget) -> bytes:
    if data.size > _SIZE_MAX:
        raise UnreadableError(f"a cache of ldconfig of {data.size} bytes")
    budget.attribute(data.size)
    return data.read_at(0, data.size)


def _old_size(raw: bytes) -> int:
    """Return how long the old form is, which may stand in front of the new one."""
    count = int.from_bytes(raw[12:16], "little")
    return len(_OLD) + 4 + 12 * count + 7 & ~7


def _libraries(cache: bytes, count: int, names: tuple[int, ...], order: str) -> Iterator[str]:
    for number in range(count):
        flags, name, path, _, capabilities = struct.unpack_from(f"{order}iIIIQ", cache, 48 + 24 * number)
        words = [_KINDS.get(flags & 0xFF, "unknown"), _MACHINES.get(flags & 0xFF00, f"{flags & 0xFF00:#x}")]
        index = capabilities & 0xFFFFFFFF
        if capabilities & _NAMED_CAPABILITY and index < len(names):
            words.append(f' hwcap: "{_string(cache, names[index])}"')
        elif capabilities:
            words.append(f" hwcap: {capabilities:#018x}")
        written = ",".join(word for word in words if word)
        yield f"{_string(cache, name)} ({written}) => {_string(cache, path)}\n"


def _seen(raw: bytes, count: int) -> Iterator[str]:
    strings = 32 + 48 * count
    for number in range(count):
        inode, changed, size, device, flags, name = struct.unpack_from("<QQQQiI", raw, 32 + 48 * number)
        title = _string(raw, strings + name) or "(no name)"
        yield f"{title}: inode {inode}, changed {changed}, {size} bytes, device {device}, flags {flags:#x}\n"


def _extensions(cache: bytes, offset: int, order: str) -> Iterator[tuple[int, bytes]]:
    magic, count = struct.unpack_from(f"{order}II", cache, offset)
    if magic != _EXTENSIONS:
        return
    for place in range(offset + 8, min(offset + 8 + 16 * count, len(cache)), 16):
        tag, _, start, size = struct.unpack_from(f"{order}IIII", cache, place)
        if tag == _CAPABILITIES:
            size &= ~3
        yield tag, cache[start : start + size] if start + size <= len(cache) else b""


def _string(raw: bytes, start: int) -> str:
    return text(raw[start : start + _NAME_MAX].partition(b"\0")[0]).replace("\n", "\\n")
