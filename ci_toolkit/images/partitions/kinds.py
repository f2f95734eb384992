"""The kinds of partition tables that are read, apart because other formats are asked between them."""

from typing import Final

from ci_toolkit.images.format import Format, has, has_any

_TABLE: Final = b"EFI PART"
_BOOT: Final = has(b"\x55\xaa", at=510)

# What has nothing but the backup of its table has the MBR before it.
GPT: Final = Format(name="gpt", sign=has_any(_BOOT, has(_TABLE, at=512), has(_TABLE, at=4096)), module="partitions.gpt")
# A FAT file system has its signature too.
MBR: Final = Format(name="mbr", sign=_BOOT, module="partitions.mbr")
