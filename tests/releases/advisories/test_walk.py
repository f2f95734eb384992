"""The values in a file, by the word of json."""

import contextlib
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.errors import UnreadableError
from ci_toolkit.releases.advisories import walk as walking
from ci_toolkit.releases.advisories.walk import walk

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(), inside, max_size=4),
    max_leaves=20,
)


def plain(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The plain values in VALUE, with the keys that lead to each."""
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from plain(inside, (*path, key))
    elif isinstance(value, list):
        for inside in value:
            yield from plain(inside, (*path, ""))
    else:
        yield path, value


def depth(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max((depth(one) for one in inside), default=0)


@settings(max_examples=60)
@given(VALUES.filter(lambda value: depth(value) <= 10), st.booleans())
def test_each_value_comes_with_the_keys_that_lead_there(value: Any, ascii_only: bool) -> None:
    file = io.BytesIO(json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))
    try:
        found = [(tuple(path), told) for path, event, told in walk(file) if "_" not in event]
    except UnreadableError:
        assert any("\ud800" <= letter <= "\udfff" for letter in json.dumps(value, ensure_ascii=False))
        return
    assert found == list(plain(value))


@given(st.binary() | st.text('[]{}",:1e\\ tnu').map(str.encode))
def test_bytes_of_any_kind_are_no_traceback(data: bytes) -> None:
    with contextlib.suppress(UnreadableError):
        list(walk(io.BytesIO(data)))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no JSON"),
        (b'{"a": ', "no JSON"),
        (b"[1] 2", "no JSON"),
        (b'["\xff"]', "no JSON"),
        (b"[" + b"1" * 5000 + b"]", "no JSON"),
        (b"[" * 11, "too deep"),
        (b'["' + b"x" * (2 << 20) + b'"]', "a text of more than"),
        (b'["' + b'\\"' * (1 << 20) + b'"]', "a text of more than"),
        (b"[" * (2 << 20), "a text of more than|too deep"),
    ],
)
def test_what_is_damaged_or_too_much_is_told(data: bytes, said: str) -> None:
    with pytest.raises(UnreadableError, match=said):
        list(walk(io.BytesIO(data)))


def test_a_text_is_as_long_as_it_is_however_it_is_cut() -> None:
    """A backslash may be the last byte of one piece, and what it escapes the first of the next."""
    for size in range(65_530, 65_542):
        data = json.dumps([("x" * size + '\\"') * 3] * 10).encode()
        assert sum(event == "string" for _, event, _ in walk(io.BytesIO(data))) == 10


def test_a_file_with_too_many_values_or_bytes_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "_VALUES", 100)
    with pytest.raises(UnreadableError, match="more than 100 values"):
        list(walk(io.BytesIO(json.dumps([""] * 200).encode())))
    with pytest.raises(UnreadableError, match="larger than 50 bytes"):
        list(walk(io.BytesIO(json.dumps([""] * 20).encode()), 50))
