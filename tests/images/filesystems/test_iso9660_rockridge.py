"""Fields of Rock Ridge, put together as the standard has them, and taken apart where they break off."""

import random
import struct

import pytest

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.filesystems import iso9660_rockridge as rockridge


def field(signature: bytes, body: bytes) -> bytes:
    return signature + bytes((len(body) + 4, 1)) + body


def both(value: int) -> bytes:
    return struct.pack("<I", value) + struct.pack(">I", value)


def nowhere(place: rockridge.Continuation) -> bytes:
    raise UnreadableError(f"nothing is at {place}")


def test_a_name_in_parts_is_one() -> None:
    found = rockridge.extras(field(b"NM", b"\1first ") + field(b"NM", b"\0second"), nowhere)
    assert found.name == b"first second"


@pytest.mark.parametrize(
    ("components", "expected"),
    [
        (b"\0\3usr\0\3bin", b"usr/bin"),
        (b"\x08\0\0\3usr", b"/usr"),
        (b"\x08\0", b"/"),
        (b"\4\0\2\0\0\1x", b".././x"),
        (b"\1\2lo\0\2ng\0\1x", b"long/x"),
    ],
)
def test_a_target_is_put_together(components: bytes, expected: bytes) -> None:
    assert rockridge.extras(field(b"SL", b"\0" + components), nowhere).target == expected


def test_a_target_goes_on_in_the_next_field() -> None:
    fields = field(b"SL", b"\1\0\3usr\1\2bi") + field(b"SL", b"\0\0\1n")
    assert rockridge.extras(fields, nowhere).target == b"usr/bin"


def test_fields_go_on_elsewhere() -> None:
    there = {(7, 8, 9): field(b"NM", b"\0name"), (1, 2, 3): field(b"CE", both(7) + both(8) + both(9))}
    found = rockridge.extras(field(b"CE", both(1) + both(2) + both(3)), there.__getitem__)
    assert found.name == b"name"


def test_fields_that_lead_back_to_themselves_are_refused() -> None:
    again = field(b"CE", both(1) + both(2) + both(3))
    with pytest.raises(UnreadableError, match="too many places"):
        rockridge.extras(again, lambda _: again)


def test_a_target_without_end_is_refused() -> None:
    long = field(b"SL", b"\1" + b"\1\xf0" + b"x" * 240)
    with pytest.raises(UnreadableError, match="symbolic link of more"):
        rockridge.extras(long * 300, nowhere)


@pytest.mark.parametrize(
    ("high", "low", "expected"),
    [(0, 0x0440, (4, 64)), (4, 64, (4, 64)), (0, 0x12345678, (0x456, 0x12378)), (0, 5, (0, 5))],
)
def test_devices_come_whole_or_in_two_numbers(high: int, low: int, expected: tuple[int, int]) -> None:
    assert rockridge.extras(field(b"PN", both(high) + both(low)), nowhere).device == expected


def test_times_of_both_forms_are_read() -> None:
    short = bytes((123, 11, 14, 22, 13, 20, 0))
    east = bytes((123, 11, 14, 23, 13, 20, 4))
    long = b"2023111422132050\0"
    found = rockridge.extras(field(b"TF", b"\x06" + short + east) + field(b"TF", b"\x81" + long), nowhere)
    assert found.times == {
        "modified": 1_700_000_000 * 10**9, "accessed": 1_700_000_000 * 10**9,
        "created": 1_700_000_000 * 10**9 + 5 * 10**8,
    }  # fmt: skip


def test_any_bytes_are_fields_or_refused() -> None:
    chance = random.Random(1)
    names = (b"NM", b"PX", b"PN", b"SL", b"TF", b"CL", b"RE", b"ZF", b"CE", b"ST")
    told = 0
    for _ in range(2000):
        parts = (chance.choice(names) + chance.randbytes(chance.randrange(50)) for _ in range(4))
        try:
            told += rockridge.extras(b"".join(parts), lambda _: b"") != rockridge.Extras()
        except UnreadableError:
            continue
    assert told


def test_only_the_field_of_the_root_says_what_to_skip() -> None:
    assert rockridge.skip(field(b"SP", b"\xbe\xef\x0f")) == 15
    assert rockridge.skip(field(b"SP", b"\xbe\xee\x0f")) is None
    assert rockridge.skip(b"") is None
