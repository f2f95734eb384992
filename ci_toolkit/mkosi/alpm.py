"""Which of two versions of a package is the newer one for pacman, by the order of vercmp(8).

[EPOCH:]VERSION[-RELEASE]: runs of digits and runs of letters are compared one by one, and what stands between them
counts by its length alone. A release counts where both have one.
"""

import re
from typing import Final

_EPOCH: Final = re.compile(rb"([0-9]*):(.*)", re.DOTALL)
_RUN: Final = re.compile(rb"([^0-9A-Za-z]*)([0-9]+|[A-Za-z]+)?")
# Of a version that somebody else wrote.
_LIMIT_BYTES: Final = 256


def is_newer(version: str, than: str) -> bool:
    """Tell whether VERSION comes after THAN."""
    return compare(version, than) > 0


def compare(version: str, other: str) -> int:
    """Return what is below, above or equal to 0 where VERSION is older than, newer than or as new as OTHER."""
    epoch, upstream, release = _parts(version)
    other_epoch, other_upstream, other_release = _parts(other)
    found = _compare(epoch, other_epoch) or _compare(upstream, other_upstream)
    if found or release is None or other_release is None:
        return found
    return _compare(release, other_release)


def _parts(version: str) -> tuple[bytes, bytes, bytes | None]:
    """Cut VERSION into epoch, version and release."""
    text = version.encode("utf-8", "replace")[:_LIMIT_BYTES]
    epoch = b"0"
    if found := _EPOCH.fullmatch(text):
        epoch, text = found[1] or b"0", found[2]
    upstream, dash, release = text.rpartition(b"-")
    return (epoch, upstream, release) if dash else (epoch, text, None)


def _compare(one: bytes, two: bytes) -> int:
    if one == two:
        return 0
    while one and two:
        (gap, run), (other_gap, other_run) = _first(one), _first(two)
        one, two = one[len(gap) :], two[len(other_gap) :]
        if not run or not other_run:
            break
        if len(gap) != len(other_gap):
            return len(gap) - len(other_gap)
        if run.isdigit() != other_run.isdigit():
            return 1 if run.isdigit() else -1
        found = _of_runs(run, other_run)
        if found:
            return found
        one, two = one[len(run) :], two[len(other_run) :]
    return _of_rests(one, two)


def _first(text: bytes) -> tuple[bytes, bytes]:
    """Return what stands before the first run in TEXT, and that run."""
    found = _RUN.match(text)
    assert found is not None
    return found[1], found[2] or b""


def _of_runs(run: bytes, other: bytes) -> int:
    if run.isdigit():
        number, other_number = int(run), int(other)
        return (number > other_number) - (number < other_number)
    return (run > other) - (run < other)


def _of_rests(one: bytes, two: bytes) -> int:
    """Compare what is left where one of them has ended: letters make a version older, all else makes it newer."""
    if not one and not two:
        return 0
    if (not one and not two[:1].isalpha()) or one[:1].isalpha():
        return -1
    return 1
