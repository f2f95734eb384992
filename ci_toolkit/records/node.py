"""A value of a JSON document that anybody may have written, and what it has to be."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, NoReturn, TypeVar

from ci_toolkit.errors import UnreadableError

_TEXT_CHARACTERS: Final = 64 * 1024
_LARGEST: Final = 2**63
# Each costs many times the memory of its two characters, and Python's search for cycles; a record of all the files and
# packages that it may have has 300,000.
_NESTED: Final = 400_000
_SHA256: Final = re.compile(r"[0-9a-f]{64}")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A value and its place in the document; `what` names the document in messages, `hint` what to give instead."""

    value: object
    what: str
    hint: str
    place: str = ""

    def member(self, name: str) -> "Node":
        """Return the member NAME, null where it is missing."""
        value = self.object().get(name)
        return Node(value=value, what=self.what, hint=self.hint, place=f"{self.place}.{name}" if self.place else name)

    def object(self) -> dict[str, object]:
        return self.value if isinstance(self.value, dict) else self.refuse("an object")

    def each(self, read: Callable[["Node"], _T], limit: int) -> tuple[_T, ...]:
        """Read every entry of a list of at most LIMIT."""
        if not isinstance(self.value, list) or len(self.value) > limit:
            self.refuse(f"a list of at most {limit:,}")
        entries = enumerate(self.value)
        return tuple(
            read(Node(value=entry, what=self.what, hint=self.hint, place=f"{self.place}[{index}]"))
            for index, entry in entries
        )

    def optional(self, read: Callable[["Node"], _T]) -> _T | None:
        return None if self.value is None else read(self)

    def text(self, limit: int = _TEXT_CHARACTERS) -> str:
        if not isinstance(self.value, str) or len(self.value) > limit or "\0" in self.value:
            self.refuse(f"a text of at most {limit:,} characters")
        return self.value

    def matching(self, pattern: re.Pattern[str], wanted: str) -> str:
        text = self.text()
        return text if pattern.fullmatch(text) else self.refuse(wanted)

    def sha256(self) -> str:
        return self.matching(_SHA256, "a SHA-256")

    def path(self) -> str:
        """Read a path that leads nowhere but below where it is taken from."""
        text = self.text()
        pure = PurePosixPath(text)
        if not text or pure.is_absolute() or ".." in pure.parts:
            self.refuse("a relative path")
        return text

    def integer(self) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int) or not 0 <= self.value < _LARGEST:
            self.refuse("a whole number")
        return self.value

    def seconds(self) -> float:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or not 0 <= self.value < 1e12:
            self.refuse("a number of seconds")
        return float(self.value)

    def truth(self) -> bool:
        return self.value if isinstance(self.value, bool) else self.refuse("true or false")

    def refuse(self, wanted: str) -> NoReturn:
        raise UnreadableError(f"{self.what} is not ours: {self.place or 'it'} is not {wanted}", hint=self.hint)


def read(content: bytes, what: str, schema: int, hint: str) -> Node:
    """Return the JSON document CONTENT of SCHEMA. Raises UnreadableError, with WHAT and HINT, for anything else."""
    if content.count(b"[") + content.count(b"{") > _NESTED:
        raise UnreadableError(f"{what} has more than {_NESTED:,} lists and objects", hint=hint)
    try:
        value = json.loads(content, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"{what} is no JSON", hint=hint) from error
    node = Node(value=value, what=what, hint=hint)
    found = node.object().get("schema")
    if found != schema or isinstance(found, bool):
        node.member("schema").refuse(f"{schema}, which this toolkit reads")
    return node


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
