"""The kinds of partition tables that are read, apart because other formats are asked between them."""

from typing import Final

from ci_toolkit.images.format import Format
from ci_toolkit.images.partitions import gpt, mbr

GPT: Final = Format(name="gpt", recognise=gpt.recognise, read=gpt.read)
# A FAT file system has its signature too.
MBR: Final = Format(name="mbr", recognise=mbr.recognise, read=mbr.read)
