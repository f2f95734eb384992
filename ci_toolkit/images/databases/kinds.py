"""The kinds of databases that are read, in the order in which they are asked."""

from typing import Final

from ci_toolkit.images.databases import catalog, hwdb, ldconfig, sqlite
from ci_toolkit.images.format import Format

DATABASES: Final = (
    Format(name="sqlite", recognise=sqlite.recognise, read=sqlite.read),
    Format(name="ld.so.cache", recognise=ldconfig.is_cache, read=ldconfig.read_cache),
    Format(name="aux-cache", recognise=ldconfig.is_auxiliary, read=ldconfig.read_auxiliary),
    Format(name="hwdb", recognise=hwdb.recognise, read=hwdb.read),
    Format(name="catalog", recognise=catalog.recognise, read=catalog.read),
)
