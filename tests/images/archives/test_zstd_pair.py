"""Two zstd streams unpacked at once, against what zstd(1) unpacks, and against each of them alone."""

import os
from collections.abc import Callable

import pytest
from bench import run
from specimens import loaded

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.archives import compressed, spool_pair, zstd_pair
from ci_toolkit.images.entry import Container
from ci_toolkit.images.limits import MIB, BeyondLimitError, Budget, Limits

NOISE = os.urandom(5 * MIB) + bytes(3 * MIB) + b"the end"
CONTENTS = {
    "the same": NOISE,
    "one byte": NOISE[: 2 * MIB] + b"x" + NOISE[2 * MIB + 1 :],
    "shorter": NOISE[: 3 * MIB + 5],
    "longer": NOISE + NOISE,
    "shifted": b"x" + NOISE,
    "zeros": bytes(len(NOISE)),
    "nothing": b"",
}


def packed(content: bytes) -> bytes:
    return run("zstd", "-c", "-1", "-q", stdin=content)


def payload(container: Container) -> bytes:
    data = container.entries[0].data
    assert data is not None
    return data.read_at(0, data.size)


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_both_are_what_zstd_unpacks(content: bytes) -> None:
    streams = packed(NOISE), packed(content)
    for one, other in (streams, streams[::-1]):
        found = zstd_pair.read(loaded(one), loaded(other), None, Budget(Limits()))
        assert [payload(container) for container in found] == [
            run("zstd", "-dc", stdin=one),
            run("zstd", "-dc", stdin=other),
        ]


def test_what_both_have_is_known_to_be_the_same() -> None:
    one, other = zstd_pair.read(loaded(packed(NOISE)), loaded(packed(CONTENTS["one byte"])), None, Budget(Limits()))
    assert one.entries[0].data is not None and other.entries[0].data is not None
    same = spool_pair.same(one.entries[0].data, other.entries[0].data)
    assert same is not None
    assert [same(start * MIB, MIB) for start in range(8)] == [True, True, False, True, True, True, True, True]


def outcome(read: Callable[[], object]) -> str:
    with pytest.raises(UnreadableError) as caught:
        read()
    return caught.value.message


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda whole: whole[: len(whole) // 2],
    "another header": lambda whole: whole[:4] + b"\xff" * 9 + whole[13:],
    "other bytes": lambda whole: whole[:1000] + bytes(1000) + whole[2000:],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_one_is_refused_as_alone(damage: Callable[[bytes], bytes]) -> None:
    good = packed(NOISE[::-1] + b"text " * 1_000_000)
    bad = damage(good)
    alone = outcome(lambda: compressed.read_zstd(loaded(bad), Budget(Limits())))
    pairs = [(loaded(one), loaded(other)) for one, other in ((good, bad), (bad, good), (bad, bad))]
    for one, other in pairs:
        assert outcome(lambda one=one, other=other: zstd_pair.read(one, other, None, Budget(Limits()))) == alone  # type: ignore[misc]


def test_both_are_charged() -> None:
    stream = loaded(packed(NOISE))
    zstd_pair.read(stream, stream, None, Budget(Limits(decompressed=2 * len(NOISE))))
    with pytest.raises(BeyondLimitError):
        zstd_pair.read(stream, stream, None, Budget(Limits(decompressed=2 * len(NOISE) - 1)))
