"""The kinds of archives and compressed streams that are read, in the order in which they are asked."""

from typing import Final

from ci_toolkit.images.archives import tar_header, zstd_frames
from ci_toolkit.images.format import Format, has

ARCHIVES: Final = (
    # A tar archive too.
    Format(name="oci", sign=tar_header.recognise, module="archives.oci"),
    Format(name="tar", sign=tar_header.recognise, module="archives.tar"),
    Format(
        name="cpio", sign=has(b"07070", b"\xc7\x71", b"\x71\xc7"), module="archives.cpio", pair="archives.cpio_pair"
    ),
    Format(name="ar", sign=has(b"!<arch>\n"), module="archives.ar"),
    Format(name="rpm", sign=has(b"\xed\xab\xee\xdb"), module="archives.rpm"),
    Format(name="zip", sign=has(b"PK", b"#!"), module="archives.zip_archive"),
)

_COMPRESSED: Final = "archives.compressed"

STREAMS: Final = (
    Format(
        name="zstd", sign=zstd_frames.recognise, module=_COMPRESSED, recogniser="is_zstd", reader="read_zstd",
        pair="archives.zstd_pair",
    ),
    Format(name="xz", sign=has(b"\xfd7zXZ\0"), module=_COMPRESSED, recogniser="is_xz", reader="read_xz"),
    Format(name="lzma", sign=has(b"\x5d"), module=_COMPRESSED, recogniser="is_lzma", reader="read_lzma"),
    Format(name="lz4", sign=has(b"\x04\x22\x4d\x18", b"\x02\x21\x4c\x18"), module="archives.lz4"),
    Format(name="gzip", sign=has(b"\x1f\x8b"), module=_COMPRESSED, recogniser="is_gzip", reader="read_gzip"),
    Format(name="bzip2", sign=has(b"BZh"), module=_COMPRESSED, recogniser="is_bzip2", reader="read_bzip2"),
)  # fmt: skip
