"""The compression around equal content: another program, another number of threads, another header."""

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Final

import zstandard

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents
from ci_toolkit.compare.rules.containers import COMPRESSIONS, is_packed
from ci_toolkit.compare.rules.remedy import advice, render, setting
from ci_toolkit.compare.rules.rule import Phase, Rule

# What is unpacked at most to see whether two small files hold the same; a larger one is left unknown.
_UNPACKED: Final = 32 << 20
# The bit of a qcow2 header that says that its clusters are not compressed by zlib.
_COMPRESSION_FEATURE: Final = 1 << 3
_GZIP: Final = b"\x1f\x8b\x08"


def _gunzip(data: bytes) -> bytes:
    return zlib.decompressobj(wbits=31).decompress(data, _UNPACKED)


def _unxz(data: bytes) -> bytes:
    return lzma.LZMADecompressor(memlimit=256 << 20).decompress(data, _UNPACKED)


def _bunzip2(data: bytes) -> bytes:
    return bz2.BZ2Decompressor().decompress(data, _UNPACKED)


def _unzstd(data: bytes) -> bytes:
    with zstandard.ZstdDecompressor(max_window_size=128 << 20).stream_reader(data) as stream:
        return bytes(stream.read(_UNPACKED))


# Magic -> the format's name as the readers have it, and what unpacks it.
_FORMATS: Final[dict[bytes, tuple[str, Callable[[bytes], bytes]]]] = {
    _GZIP: ("gzip", _gunzip),
    b"\xfd7zXZ\0": ("xz", _unxz),
    b"BZh": ("bzip2", _bunzip2),
    b"\x28\xb5\x2f\xfd": ("zstd", _unzstd),
}
_BROKEN: Final = (zlib.error, lzma.LZMAError, zstandard.ZstdError, EOFError, OSError, ValueError)


def _is_gzip_header(difference: Difference, _facts: Facts) -> bool:
    """Two gzip files with one stream, under another time or name."""
    if difference.field is Field.HEADER:
        return difference.container == "gzip" and difference.name in ("mtime", "name")
    if not contents.starts(difference, _GZIP):
        return False
    pair = contents.whole(difference)
    if pair is None:
        return contents.differs_only_at(difference, (range(4, 8),))
    first, second = (_after_header(data) for data in pair)
    return first is not None and first == second and pair[0] != pair[1]


def _after_header(data: bytes) -> bytes | None:
    """Return what follows the header of a gzip file, None where the header is cut off; RFC 1952 §2.3."""
    flags = data[3] if len(data) > 10 else 0xFF
    offset = 10
    if flags & 4:
        offset += 2 + int.from_bytes(data[10:12], "little")
    for flag in (8, 16):  # name, comment: both end in a zero byte
        if flags & flag:
            offset = data.find(b"\0", offset) + 1
            if offset == 0:
                return None
    if flags & 2:
        offset += 2
    return data[offset:] if offset < len(data) else None


def _is_stream(difference: Difference, facts: Facts, *, of: tuple[str, ...]) -> bool:
    """Compressed data with equal payload: the comparison looked into it, or it is small enough to unpack here."""
    if difference.container == "zip" and difference.field is Field.HEADER:
        return "zip" in of and difference.name in ("method", "level")
    if difference.container == "qcow2":
        return "zip" in of and _is_cluster_compression(difference)
    if difference.field is not Field.CONTENT:
        known = difference.container in of or ("zip" in of and is_packed(difference))
        return known and difference.path not in facts.inside
    magic = _magic(difference)
    pair = contents.whole(difference)
    if magic is None or pair is None or difference.opened:
        return False
    name, unpack = _FORMATS[magic]
    try:
        first, second = (unpack(data) for data in pair)
    except _BROKEN:
        return False
    return name in of and first == second and 0 < len(first) < _UNPACKED


@contents.remembered
def _magic(difference: Difference) -> bytes | None:
    return next((magic for magic in _FORMATS if contents.starts(difference, magic)), None)


def _is_cluster_compression(difference: Difference) -> bool:
    """The header of a qcow2 names how its clusters are compressed, and has a feature for all but the oldest way."""
    before, after = difference.before, difference.after
    if difference.name == "features_incompatible" and isinstance(before, int) and isinstance(after, int):
        return before ^ after == _COMPRESSION_FEATURE
    return difference.field is Field.HEADER and difference.name == "compression"


def _stream(identifier: str, title: str, explanation: str, fix: str, *, of: tuple[str, ...], source: str) -> Rule:
    def recognise(difference: Difference, facts: Facts) -> bool:
        return _is_stream(difference, facts, of=of)

    return Rule(
        cause=Cause(identifier=identifier, title=title, explanation=explanation, fix=fix, source=source),
        phase=Phase.FORMAT,
        fields=(Field.CONTENT, Field.REGION, Field.HEADER),
        recognise=recognise,
    )


_PINNED: Final = advice("Take the compressor from a pinned tools tree: ToolsTree=default, with ToolsTreeSnapshot=.")

GZIP_HEADER: Final = Rule(
    cause=Cause(
        identifier="gzip-header",
        title="Time or name in a gzip header",
        explanation="gzip writes the time and the name of its input into its header; the compressed data are equal.",
        fix=render((advice("Compress with `gzip --no-name`; mkosi does since version 27."),)),
        source="https://github.com/systemd/mkosi/commit/203da1e5",
    ),
    phase=Phase.FORMAT,
    fields=(Field.CONTENT, Field.HEADER),
    recognise=_is_gzip_header,
)

GZIP_STREAM: Final = _stream(
    "gzip-stream",
    "Compressed by another gzip, with equal content",
    "What is inside is equal: mkosi takes pigz where it is installed and gzip where it is not, and each version and "
    "level of them writes another stream.",
    render((_PINNED,)),
    of=("gzip",),
    source="https://github.com/systemd/mkosi/blob/main/mkosi/util.py",
)

XZ_STREAM: Final = _stream(
    "xz-stream",
    "Compressed by xz in another way, with equal content",
    "What is inside is equal: xz with one thread writes another stream than with several, and so does another version "
    "or level.",
    render((_PINNED, advice("Build on two processors or more, or compress with a fixed number: `xz --threads=2`."))),
    of=("xz", "lzma"),
    source="https://man7.org/linux/man-pages/man1/xz.1.html",
)

COMPRESSION_STREAM: Final = _stream(
    "compression-stream",
    "Compressed differently, with equal content",
    "What is inside is equal: the compressor was another version or ran at another level.",
    render((_PINNED,)),
    of=(*COMPRESSIONS, "zip"),
    source="https://reproducible-builds.org/docs/archives/",
)


def _is_format(difference: Difference, _facts: Facts) -> bool:
    return difference.name == "compression" and difference.before in COMPRESSIONS and difference.after in COMPRESSIONS


COMPRESSION_FORMAT: Final = Rule(
    cause=Cause(
        identifier="compression-format",
        title="Compressed in another format",
        explanation="One build compressed by another program than the other: the default is what the distribution or "
        "the version of mkosi prefers.",
        fix=render(
            (setting("Output", "CompressOutput=zstd"), advice("Of what a script compresses, name one program."))
        ),
        source="https://github.com/systemd/mkosi/blob/main/mkosi/resources/man/mkosi.1.md",
    ),
    phase=Phase.FORMAT,
    fields=(Field.HEADER,),
    recognise=_is_format,
)
