"""SQLite databases: schema and rows as text, read from the pages themselves, so that nothing in them is executed."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.images.databases import lines, sqlite_rows
from ci_toolkit.images.databases.sqlite_pages import INDEXES, TABLES, Pages
from ci_toolkit.images.entry import Container, Fact, Region
from ci_toolkit.images.limits import BeyondLimitError, Budget

_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = 100
_SMALLEST: Final = 512
_ENCODINGS: Final = {0: "none yet", 1: "UTF-8", 2: "UTF-16, little endian", 3: "UTF-16, big endian"}
# Name, offset and width of what else the header holds.
_FIELDS: Final = (
    ("page_size", 16, 2),
    ("write_version", 18, 1),
    ("read_version", 19, 1),
    ("reserved_bytes", 20, 1),
    ("change_counter", 24, 4),
    ("page_count", 28, 4),
    ("first_free_page", 32, 4),
    ("free_page_count", 36, 4),
    ("schema_cookie", 40, 4),
    ("schema_format", 44, 4),
    ("cache_size", 48, 4),
    ("largest_root", 52, 4),
    ("user_version", 60, 4),
    ("incremental_vacuum", 64, 4),
    ("application_id", 68, 4),
    ("version_valid_for", 92, 4),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Object:
    """A row of the schema."""

    kind: str
    name: str
    table: str
    root: int
    sql: str


def recognise(data: Data) -> bool:
    return data.read_at(0, len(_MAGIC)) == _MAGIC


def read(data: Data, budget: Budget) -> Container:
    """Read schema and tables; a table that is damaged is skipped with the reason, its bytes are compared all the same.

    What a write-ahead log beside the database holds is not in it. Raises UnreadableError when header or schema are
    damaged or cut.
    """
    head = data.read_at(0, _HEADER)
    if len(head) < _HEADER:
        raise UnreadableError("the header of the SQLite database is cut")
    pages = _pages(data, head)
    encoding = int.from_bytes(head[56:60], "big")
    objects = list(_schema(pages, encoding, budget))
    schema = "".join(f"{found.sql or found.name};\n" for found in objects)
    entries = [lines.entry("schema", (schema,), budget)]
    skipped: list[tuple[str, str]] = []
    for found in objects:
        if not found.root:
            continue
        is_table = found.kind == "table"
        path = f"{'table' if is_table else 'index'} {found.name}"
        try:
            if is_table:
                entries.append(lines.entry(path, _rows(pages, found.root, encoding), budget))
            else:
                for _ in pages.cells(found.root, INDEXES, payloads=False):
                    budget.stream()
        except BeyondLimitError:
            raise
        except UnreadableError as error:
            skipped.append((path, error.message))
    try:
        pages.free(int.from_bytes(head[32:36], "big"))
    except UnreadableError as error:
        skipped.append(("free pages", error.message))
    if int.from_bytes(head[52:56], "big"):
        pages.pointer_map()
    return Container(
        format="sqlite",
        entries=tuple(entries),
        facts=tuple(_facts(head, encoding)),
        regions=(
            Region(name="database header", data=data.window(0, _HEADER)),
            *(Region(name=name, data=part) for name, part in pages.regions()),
        ),
        remainder="pages behind the end",
        skipped=tuple(skipped),
    )


def _pages(data: Data, head: bytes) -> Pages:
    size = int.from_bytes(head[16:18], "big")
    size = 1 << 16 if size == 1 else size
    usable = size - head[20]
    if size < _SMALLEST or size & size - 1 or usable < _SMALLEST - 32:
        raise UnreadableError(f"the SQLite database has pages of {size} bytes")
    if data.size < size:
        raise UnreadableError("the SQLite database is cut inside its first page")
    # A number that the last writer did not keep up says nothing.
    stated = int.from_bytes(head[28:32], "big") if head[24:28] == head[92:96] else 0
    if stated * size > data.size:
        raise UnreadableError(
            f"the SQLite database has {stated} pages, of which {data.size // size} are there: it is cut"
        )
    return Pages(data, size, usable)


def _schema(pages: Pages, encoding: int, budget: Budget) -> Iterator[_Object]:
    for cell in pages.cells(1, TABLES, payloads=True):
        row = sqlite_rows.values(cell.payload, encoding)
        if len(row) < 5:
            raise UnreadableError("the schema of the SQLite database is damaged")
        kind, name, table, root, sql = (str(value) if isinstance(value, str) else value for value in row[:5])
        budget.member(str(name), len(cell.payload))
        yield _Object(
            kind=str(kind),
            name=str(name),
            table=str(table),
            root=root if isinstance(root, int) else 0,
            sql=sql if isinstance(sql, str) else "",
        )


def _rows(pages: Pages, root: int, encoding: int) -> Iterator[str]:
    for cell in pages.cells(root, TABLES, payloads=True):
        yield sqlite_rows.line(cell.rowid, sqlite_rows.values(cell.payload, encoding))


def _facts(head: bytes, encoding: int) -> Iterator[Fact]:
    for name, offset, width in _FIELDS:
        yield Fact(
            name=name, value=int.from_bytes(head[offset : offset + width], "big"), places=((offset, width),)
        )  # fmt: skip
    yield Fact(name="encoding", value=_ENCODINGS.get(encoding, str(encoding)), places=((56, 4),))
    (version,) = struct.unpack(">I", head[96:100])
    written = f"{version // 1_000_000}.{version // 1000 % 1000}.{version % 1000}"
    yield Fact(name="sqlite_version", value=written, places=((96, 4),))
