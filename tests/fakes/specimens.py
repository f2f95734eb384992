"""For the tests of the readers: what a reader found, checked for sense, and its input cut and flipped."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data, Memory
from ci_toolkit.images.data import whole as whole_of
from ci_toolkit.images.entry import Container, Entry
from ci_toolkit.images.limits import MIB, Budget, Limits

Reader = Callable[[Data, Budget], Container]

# Enough for every sample, and little enough that a reader which follows a damaged one for ever is soon stopped.
SMALL = Limits(members=20_000, metadata=16 * MIB, decompressed=64 * MIB)
_LOOKED_AT = 1 << 16


def budget() -> Budget:
    return Budget(SMALL)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Sample(Memory):
    """Bytes that a failing test does not print."""


def loaded(whole: bytes) -> Data:
    return whole_of(_Sample(whole))


def opened(path: Path) -> Data:
    return loaded(path.read_bytes())


def entries(container: Container) -> dict[str, Entry]:
    """The entries by their paths, of which no two are the same."""
    found = {entry.path: entry for entry in container.entries}
    assert len(found) == len(container.entries)
    return found


def facts(holder: Container | Entry) -> dict[str, object]:
    return {fact.name: fact.value for fact in holder.facts}


def spans(data: Data) -> list[tuple[int, int]]:
    """The (offset, length) of what DATA holds, without its holes."""
    return [(run.offset, run.length) for run in data.runs if run.offset is not None]


def content(entry: Entry) -> bytes:
    assert entry.data is not None
    assert entry.data.size == entry.size
    return entry.data.read_at(0, entry.size)


def make_sense(container: Container) -> None:
    """Check what holds for every container, and that all its bytes can be read."""
    datas = [entry.data for entry in container.entries if entry.data is not None]
    for data in (*datas, *(region.data for region in container.regions)):
        position = 0
        for run in data.runs:
            assert run.start == position
            assert run.length > 0
            assert run.offset is None or 0 <= run.offset <= data.root.size - run.length
            position += run.length
        assert position == data.size
        assert len(data.read_at(0, _LOOKED_AT)) == min(data.size, _LOOKED_AT)
        assert len(data.read_at(max(0, data.size - _LOOKED_AT), _LOOKED_AT)) == min(data.size, _LOOKED_AT)
    for fact in (*container.facts, *(fact for entry in container.entries for fact in entry.facts)):
        assert all(offset >= 0 and length >= 0 for offset, length in fact.places)


def survives(read: Reader, recognise: Callable[[Data], bool], damaged: bytes) -> bool:
    """Tell whether a damaged image is read; being refused in the agreed way is the only other choice."""
    data = loaded(damaged)
    if not recognise(data):
        return False
    try:
        make_sense(read(data, budget()))
    except UnreadableError as error:
        assert error.message
        return False
    return True


def cuts(whole: bytes, count: int, *, seed: int = 1) -> Iterator[bytes]:
    """WHOLE, ended at every place of note and at COUNT others."""
    chance = random.Random(seed)
    places = {0, 1, 2, 511, 512, 513, 1023, 1024, 2047, 2048, len(whole) - 1, len(whole) - 512}
    places |= {chance.randrange(len(whole)) for _ in range(count)}
    for place in sorted(place for place in places if 0 <= place < len(whole)):
        yield whole[:place]


def flips(whole: bytes, count: int, *, seed: int = 1, within: tuple[tuple[int, int], ...] = ()) -> Iterator[bytes]:
    """WHOLE, COUNT times with one to eight bytes changed; WITHIN are the (offset, length) of what matters most."""
    chance = random.Random(seed)
    areas = within or ((0, len(whole)),)
    for _ in range(count):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            offset, length = chance.choice(areas)
            # Values at the edges of a field's range are where arithmetic goes wrong.
            value = chance.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, chance.randrange(256), chance.randrange(256)))
            damaged[offset + chance.randrange(length)] = value
        yield bytes(damaged)
