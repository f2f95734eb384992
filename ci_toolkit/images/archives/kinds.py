"""The kinds of archives and compressed streams that are read, in the order in which they are asked."""

from typing import Final

from ci_toolkit.images.archives import ar, compressed, cpio, lz4, oci, rpm, tar, zip_archive
from ci_toolkit.images.format import Format

ARCHIVES: Final = (
    # A tar archive too.
    Format(name=oci.FORMAT, recognise=oci.recognise, read=oci.read),
    Format(name="tar", recognise=tar.recognise, read=tar.read),
    Format(name="cpio", recognise=cpio.recognise, read=cpio.read),
    Format(name="ar", recognise=ar.recognise, read=ar.read),
    Format(name="rpm", recognise=rpm.recognise, read=rpm.read),
    Format(name="zip", recognise=zip_archive.recognise, read=zip_archive.read),
)

STREAMS: Final = (
    Format(name="zstd", recognise=compressed.is_zstd, read=compressed.read_zstd),
    Format(name="xz", recognise=compressed.is_xz, read=compressed.read_xz),
    Format(name="lzma", recognise=compressed.is_lzma, read=compressed.read_lzma),
    Format(name="lz4", recognise=lz4.recognise, read=lz4.read),
    Format(name="gzip", recognise=compressed.is_gzip, read=compressed.read_gzip),
    Format(name="bzip2", recognise=compressed.is_bzip2, read=compressed.read_bzip2),
)
