"""The kinds of databases that are read, in the order in which they are asked."""

from typing import Final

from ci_toolkit.images.format import Format, has

DATABASES: Final = (
    Format(name="sqlite", sign=has(b"SQLite format 3\0"), module="databases.sqlite"),
    Format(
        name="ld.so.cache", sign=has(b"ld.so-", b"glibc-ld.so.cache"), module="databases.ldconfig",
        recogniser="is_cache", reader="read_cache",
    ),
    Format(
        name="aux-cache", sign=has(b"glibc-ld.so.auxcache"), module="databases.ldconfig",
        recogniser="is_auxiliary", reader="read_auxiliary",
    ),
    Format(name="hwdb", sign=has(b"KSLPHHRH"), module="databases.hwdb"),
    Format(name="catalog", sign=has(b"RHHHKSLP"), module="databases.catalog"),
)  # fmt: skip
