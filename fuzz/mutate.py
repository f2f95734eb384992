"""Ways to damage an image; most of them hit what its reader takes for structure."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fuzz.image import Image
from fuzz.names import MARK, replaced

Span = tuple[int, int]

_MOVED_MAX: Final = 16 << 20
_WIDTHS: Final = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """What is known of an image: places of structure, places of names with their bytes, and other images to splice."""

    structure: tuple[Span, ...]
    names: tuple[tuple[int, bytes], ...]
    others: tuple[str, ...]


def damage(image: Image, victim: Victim, chance: random.Random) -> None:
    """Damage IMAGE in one to eight ways."""
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        if image.size:
            chance.choices(_WAYS, _WEIGHTS)[0](image, victim, chance)


def name_places(image: Image) -> tuple[tuple[int, bytes], ...]:
    """Find the names that may be replaced in their place, in every form that stands in images."""
    found: list[tuple[int, bytes]] = []
    for start, end in image.data():
        content = image.read(start, end - start)
        for form in ("utf-8", "utf-16-le", "utf-16-be"):
            wanted = MARK[:13].encode(form)
            place = content.find(wanted)
            while place >= 0 and len(found) < 200:
                found.append((start + place, form.encode()))
                place = content.find(wanted, place + 1)
    return tuple(found)


def _place(image: Image, victim: Victim, chance: random.Random, width: int) -> int:
    """Choose a place: mostly in structure, aligned to a field of WIDTH bytes there."""
    if victim.structure and chance.random() < 0.8:
        offset, length = chance.choice(victim.structure)
        return offset + chance.randrange(max(1, length)) // width * width
    spans = image.data()
    if spans and chance.random() < 0.9:
        start, end = chance.choice(spans)
        return chance.randrange(start, max(start + 1, end))
    return chance.randrange(image.size)


def _flip_bits(image: Image, victim: Victim, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 2, 8))):
        place = _place(image, victim, chance, 1)
        old = image.read(place, 1)
        if old:
            image.write(place, bytes((old[0] ^ 1 << chance.randrange(8),)))


def _set_bytes(image: Image, victim: Victim, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 2, 8, 40))):
        place = _place(image, victim, chance, 1)
        image.write(place, bytes((chance.choice((0, 1, 0x20, 0x2F, 0x30, 0x7F, 0x80, 0xFF, chance.randrange(256))),)))


def _set_field(image: Image, victim: Victim, chance: random.Random) -> None:
    """Set a number to what arithmetic goes wrong with."""
    width = chance.choice(_WIDTHS)
    order = chance.choice(("little", "little", "big"))
    place = _place(image, victim, chance, width)
    old = int.from_bytes(image.read(place, width), "little" if order == "little" else "big")
    size = image.size
    value = chance.choice(
        (0, 1, 2, -1, -2, 0x7F, 1 << 15, 1 << 31, (1 << 31) - 1, 1 << 32, 1 << 63, (1 << 63) - 1)
        + (size, size - 1, size + 1, size // 512, size // 4096, old + 1, old - 1, old * 2, old // 2, old << 8, place)
    )
    value %= 1 << 8 * width
    image.write(place, value.to_bytes(width, "little" if order == "little" else "big"))


def _set_digits(image: Image, victim: Victim, chance: random.Random) -> None:
    """Write a number as archives do, in digits."""
    place = _place(image, victim, chance, 4)
    text = chance.choice((b"00000000", b"7777777", b"ffffffff", b"-0000001", b"FFFFFFFF", b"99999999", b"        "))
    image.write(place, text[: chance.choice((1, 4, 8))])


def _swap_blocks(image: Image, victim: Victim, chance: random.Random) -> None:
    size = chance.choice((16, 64, 512, 1024, 4096))
    one, other = (_place(image, victim, chance, 1) // size * size for _ in range(2))
    first, second = image.read(one, size), image.read(other, size)
    image.write(one, second)
    image.write(other, first)


def _copy_region(image: Image, victim: Victim, chance: random.Random) -> None:
    """Write a region a second time over another, so that tables point to themselves and to each other."""
    size = chance.choice((4, 8, 16, 32, 128, 512, 4096, 65536))
    image.write(_place(image, victim, chance, 8), image.read(_place(image, victim, chance, 8), size))


def _duplicate(image: Image, victim: Victim, chance: random.Random) -> None:
    """Insert a region a second time; all behind it moves."""
    if image.size > _MOVED_MAX:
        return
    place = _place(image, victim, chance, 4)
    piece = image.read(place, chance.choice((1, 4, 16, 128, 512, 4096)))
    times = chance.choice((1, 1, 1, 2, 100))
    rest = image.read(place, image.size)
    image.resize(image.size + len(piece) * times)
    image.write(place, piece * times + rest)


def _remove(image: Image, victim: Victim, chance: random.Random) -> None:
    if image.size > _MOVED_MAX:
        return
    place = _place(image, victim, chance, 4)
    length = chance.choice((1, 4, 16, 128, 512, 4096))
    rest = image.read(place + length, image.size)
    image.write(place, rest)
    image.resize(max(0, min(image.size, place + len(rest))))


def _truncate(image: Image, victim: Victim, chance: random.Random) -> None:
    image.resize(
        chance.choice((chance.randrange(image.size), image.size - 1, image.size // 512 * 511, image.size // 2))
    )


def _extend(image: Image, victim: Victim, chance: random.Random) -> None:
    end = image.size
    more = chance.choice((1, 511, 512, 4096, 70_000, 50 << 20))
    image.resize(end + more)
    image.write(end, chance.choice((b"", b"\xff" * 512, chance.randbytes(999), image.read(0, min(end, 65536)))))


def _splice(image: Image, victim: Victim, chance: random.Random) -> None:
    """Put the beginning, or any piece, of another image over this one."""
    with Image(chance.choice(victim.others), writable=False) as other:
        length = chance.choice((512, 4096, 65536, 1 << 20))
        start = chance.choice((0, 0, chance.randrange(max(1, other.size))))
        image.write(chance.choice((0, _place(image, victim, chance, 512))), other.read(start, length))


def _rename(image: Image, victim: Victim, chance: random.Random) -> None:
    """Give some names that ask for more than to be read."""
    if not victim.names:
        return
    number = chance.randrange(100)
    for place, form in chance.sample(victim.names, min(len(victim.names), chance.choice((1, 2, 200)))):
        coding = form.decode()
        length = len(MARK.encode(coding)) if chance.random() < 0.8 else 8
        whole = len(image.read(place, length))
        name = replaced(len(MARK), number)
        raw = name if coding == "utf-8" else name.decode("utf-8", "replace").encode(coding)
        image.write(place, raw[:whole])


Way = Callable[[Image, Victim, random.Random], None]

_WAYS: Final[tuple[Way, ...]] = (
    _set_field, _flip_bits, _set_bytes, _set_digits, _rename, _copy_region, _swap_blocks, _duplicate, _remove,
    _truncate, _extend, _splice,
)  # fmt: skip
_WEIGHTS: Final = (40, 12, 12, 4, 14, 10, 5, 4, 4, 3, 3, 4)
