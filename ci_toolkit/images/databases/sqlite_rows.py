"""Rows of SQLite tables: their values, written as SQL writes them, one row in a line."""

import struct
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.databases.sqlite_pages import varint

Value = None | int | float | str | bytes

_ENCODINGS: Final = {1: "utf-8", 2: "utf-16-le", 3: "utf-16-be"}
_WIDTHS: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_FLOAT: Final = 7
_CONSTANTS: Final = {8: 0, 9: 1}
_FIRST_BLOB: Final = 12
_COLUMNS_MAX: Final = 32_767
# A row stays in its line.
_ESCAPED: Final = {ord("\\"): "\\\\", ord("\n"): "\\n", ord("\r"): "\\r", ord("\0"): "\\0", ord("'"): "''"}


def values(payload: bytes, encoding: int) -> list[Value]:
    """Return the values of a record. Raises UnreadableError when it is damaged."""
    size, position = varint(payload, 0)
    if not position <= size <= len(payload):
        raise UnreadableError("a row is damaged")
    kinds = []
    while position < size:
        kind, position = varint(payload, position)
        kinds.append(kind)
    if len(kinds) > _COLUMNS_MAX:
        raise UnreadableError(f"a row of {len(kinds)} columns")
    found: list[Value] = []
    for kind in kinds:
        length = _length(kind)
        raw = payload[position : position + length]
        if len(raw) < length:
            raise UnreadableError("a row is damaged")
        found.append(_value(kind, raw, encoding))
        position += length
    return found


def _length(kind: int) -> int:
    if kind >= _FIRST_BLOB:
        return (kind - _FIRST_BLOB) // 2
    return 8 if kind == _FLOAT else _WIDTHS.get(kind, 0)


def _value(kind: int, raw: bytes, encoding: int) -> Value:
    if kind >= _FIRST_BLOB:
        return raw.decode(_ENCODINGS.get(encoding, "utf-8"), "replace") if kind % 2 else raw
    if kind == _FLOAT:
        number: float = struct.unpack(">d", raw)[0]
        return number
    return int.from_bytes(raw, "big", signed=True) if kind in _WIDTHS else _CONSTANTS.get(kind)


def line(rowid: int | None, row: list[Value]) -> str:
    """Return a row as text. A column that is a name of the row's number is NULL here, as it is stored."""
    written = ", ".join(_written(value) for value in row)
    return f"({written})\n" if rowid is None else f"{rowid}: ({written})\n"


def _written(value: Value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return f"'{value.translate(_ESCAPED)}'"
    if isinstance(value, bytes):
        return f"X'{value.hex().upper()}'"
    return repr(value)
