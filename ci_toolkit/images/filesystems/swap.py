"""Swap areas: the header that mkswap writes; the pages behind it hold nothing until the machine runs."""

import struct
from typing import Final
from uuid import UUID

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Fact, Region, text
from ci_toolkit.images.limits import Budget

_MAGIC: Final = b"SWAPSPACE2"
# The size of a page is the machine's, and nothing but the place of the signature tells it.
_PAGES: Final = (4096, 8192, 16384, 32768, 65536)
_HEADER: Final = 1024
_NUMBERS: Final = (("version", 0), ("last_page", 4), ("bad_pages", 8))


def recognise(data: Data) -> bool:
    return _page(data) is not None


def read(data: Data, _budget: Budget) -> Container:
    """Read the header. Raises UnreadableError for one that cannot be believed, or an area that is cut."""
    page = _page(data)
    if page is None:
        raise UnreadableError("there is no signature of a swap area")
    raw = data.read_at(_HEADER, 44)
    order = next((sign for sign in "<>" if struct.unpack_from(f"{sign}I", raw)[0] == 1), None)
    if order is None:
        raise UnreadableError("the header of the swap area is damaged")
    values = {name: struct.unpack_from(f"{order}I", raw, offset)[0] for name, offset in _NUMBERS}
    end = (values["last_page"] + 1) * page
    if end > data.size:
        raise UnreadableError(f"the swap area ends at byte {end}, the image at byte {data.size}: the image is cut")
    facts = [Fact(name=name, value=values[name], places=((_HEADER + offset, 4),)) for name, offset in _NUMBERS]
    return Container(
        format="swap",
        entries=(),
        facts=(
            Fact(name="uuid", value=str(UUID(bytes=raw[12:28])), places=((_HEADER + 12, 16),)),
            Fact(name="label", value=text(raw[28:44].partition(b"\0")[0]), places=((_HEADER + 28, 16),)),
            Fact(name="page_size", value=page),
            *facts,
        ),
        regions=(Region(name="swap header", data=data.window(0, page)),),
        remainder="swap pages",
        transparent=True,
    )


def _page(data: Data) -> int | None:
    return next((size for size in _PAGES if data.read_at(size - len(_MAGIC), len(_MAGIC)) == _MAGIC), None)
