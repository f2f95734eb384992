"""Compare two images layer by layer, and say of every byte that differs where it belongs."""

import os
import stat
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from threading import Event

from ci_toolkit.compare.bytes import Changes
from ci_toolkit.compare.comparison import Comparison, Side, Verdict
from ci_toolkit.compare.contents import digest
from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.layers import Walker
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import directory
from ci_toolkit.images.data import Data, OpenFile, whole
from ci_toolkit.images.entry import Container
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits
from ci_toolkit.images.read import describe

_DIRECTORY = "directory"
_ARCHIVE = "archive"

# Looks more closely into some of what differs, while it can be read: contents that differ, by the indices of
# their differences.
Look = Callable[[Comparison, Mapping[int, tuple[Data, Data]]], Comparison]


def compare(
    a: Path,
    b: Path,
    *,
    limits: Limits = Limits(),  # noqa: B008  a frozen record
    digests: bool = False,
    hashed: bool = True,
    look: Look | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Comparison:
    """Compare two disk images, file systems, archives, executables, directories or other files.

    The verdict comes from the bytes, for directories from their entries. Raises UnreadableError when an input is
    missing, may not be read, or is cut or damaged so that its own layer cannot be read; damage further inside is listed
    in `skipped`. DIGESTS asks for the SHA-256 of each input too, which takes longer than comparing them; without
    HASHED, large contents that differ have none either, which only JSON tells. LOOK has the last word while both are
    open. MEANWHILE is called once two files are known to differ, while other processes go on to compare them.
    """
    kinds = _kind(a), _kind(b)
    budget = Budget(limits if kinds == (_DIRECTORY, _DIRECTORY) else limits.scaled(_held(a) + _held(b)))
    walker = Walker(budget, keep_contents=look is not None, hashed=hashed)
    with ExitStack() as stack:
        one = None if kinds[0] == _DIRECTORY else _open(a, stack)
        other = None if kinds[1] == _DIRECTORY else _open(b, stack)
        stack.callback(walker.close)
        if one is None and other is None:
            comparison = _directories(a, b, walker, budget)
        elif one is None or other is None:
            comparison = _mixed(a, b, one, other, walker, budget, digests)
        else:
            comparison = _files(a, b, one, other, walker, digests, meanwhile)
        return look(comparison, walker.ledger.contents) if look is not None else comparison


def _files(
    a: Path, b: Path, one: Data, other: Data, walker: Walker, digests: bool, meanwhile: Callable[[], None]
) -> Comparison:
    stop = Event()
    # Digests are made beside the walk: hashing lets other threads run.
    with ThreadPoolExecutor(2) as pool, ExitStack() as pending:
        try:
            same = _is_same(one, other)
            first = pool.submit(digest, one, stop) if digests else None
            second = pool.submit(digest, other, stop) if digests and not same else first
            changes = None if same else pending.enter_context(closing(Changes(one, other)))
            if changes is not None and changes.any():
                meanwhile()
                walker.images(one, other, changes, (str(a), str(b)))
            total, first_offset = (changes.total, changes.first) if changes is not None else (0, None)
            sha256 = [found.result() if found else None for found in (first, second)]
            sides = _side(a, one, sha256[0]), _side(b, other, sha256[1])
        except UnreadableError as error:
            raise _named(error, a, b) from error
        finally:
            stop.set()  # after an error or an interrupt, the pool would wait for digests that nobody reads
    walker.settle()
    return Comparison(
        verdict=Verdict.DIFFERENT if total else Verdict.IDENTICAL,
        a=sides[0],
        b=sides[1],
        differing_bytes=total,
        first_offset=first_offset,
        differences=tuple(walker.ledger.found),
        skipped=tuple(walker.ledger.skipped),
        truncated=walker.ledger.truncated,
        disks=walker.ledger.disks,
    )


def _directories(a: Path, b: Path, walker: Walker, budget: Budget) -> Comparison:
    from ci_toolkit.compare import trees
    from ci_toolkit.images.archives import oci

    if all((path / "oci-layout").exists() for path in (a, b)):
        one, other = directory.read(a, budget), directory.read(b, budget)
        if oci.is_layout(one) and oci.is_layout(other):
            one, other = (_timeless(oci.arranged(layout, budget)) for layout in (one, other))
    else:
        one, other = trees.unequal(a, b, budget)
    walker.trees(one, other)
    if walker.ledger.skipped and not walker.ledger.found:
        # Trees have no bytes of their own: what could not be listed may differ.
        place = "/".join(walker.ledger.skipped[0].path) or "."
        raise UnreadableError(
            f"{place!r}: {walker.ledger.skipped[0].reason}", hint="Run as a user who may read both trees whole."
        )
    return _trees(a, b, walker, (_tree_side(a), _tree_side(b)))


def _timeless(layout: Container) -> Container:
    """Return LAYOUT without the times of its files: those are no part of the image, and nobody can set them."""
    return replace(layout, entries=tuple(entry._replace(mtime_ns=None) for entry in layout.entries))


def _mixed(
    a: Path, b: Path, one: Data | None, other: Data | None, walker: Walker, budget: Budget, digests: bool
) -> Comparison:
    """A directory against a file: nothing in them can be paired, unless both are OCI layouts."""
    sides = tuple(
        _tree_side(path) if data is None else _side(path, data, digest(data) if digests else None)
        for path, data in ((a, one), (b, other))
    )
    try:
        images = [_layout(path, data, budget) for path, data in ((a, one), (b, other))]
    except BeyondLimitError as error:
        walker.ledger.skip((), error.message)
        images = [None, None]
    if images[0] is None or images[1] is None:
        walker.kinds(sides[0].format, sides[1].format)
    else:
        forms = [_DIRECTORY if data is None else _ARCHIVE for data in (one, other)]
        walker.ledger.add(
            Difference(
                path=(), field=Field.HEADER, name="image_form", container=images[0].format,
                before=forms[0], after=forms[1],
            )
        )  # fmt: skip
        walker.trees(images[0], images[1])
    return _trees(a, b, walker, (sides[0], sides[1]))


def _layout(path: Path, data: Data | None, budget: Budget) -> Container | None:
    """Return the container image at PATH, if it is an OCI layout."""
    from ci_toolkit.images.archives import oci, tar

    if data is not None and not oci.recognise(data):
        return None
    try:
        found = directory.read(path, budget) if data is None else tar.read(data, budget)
    except BeyondLimitError:
        raise
    except UnreadableError as error:
        if data is None:
            raise
        raise UnreadableError(
            f"{path}: {error.message}", hint="Fetch or build that image again: it is damaged or not whole."
        ) from error
    return oci.alone(found, budget) if oci.is_layout(found) else None


def _trees(a: Path, b: Path, walker: Walker, sides: tuple[Side, Side]) -> Comparison:
    walker.settle()
    return Comparison(
        verdict=Verdict.DIFFERENT if walker.ledger.found else Verdict.IDENTICAL,
        a=sides[0],
        b=sides[1],
        differing_bytes=None,
        first_offset=None,
        differences=tuple(walker.ledger.found),
        skipped=tuple(walker.ledger.skipped),
        truncated=walker.ledger.truncated,
    )


def _kind(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}", hint="Name two images or directories that exist.") from error
    if stat.S_ISDIR(mode):
        return _DIRECTORY
    if stat.S_ISREG(mode) or stat.S_ISBLK(mode):
        return "file"
    raise UnreadableError(f"{path} is neither a file nor a directory", hint="Name an image or a directory.")


def _held(path: Path) -> int:
    """Return how many bytes of a file are in no hole, as far as its file system says so."""
    found = path.stat()
    return found.st_blocks * 512 if stat.S_ISREG(found.st_mode) else sys.maxsize


def _open(path: Path, stack: ExitStack) -> Data:
    try:
        stream = stack.enter_context(path.open("rb", buffering=0))
        return whole(OpenFile(stream.fileno(), stream.seek(0, os.SEEK_END), str(path), _held(path)))
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}", hint="Run as a user who may read it.") from error


def _is_same(one: Data, other: Data) -> bool:
    """Tell whether both are one and the same file."""
    assert isinstance(one.root, OpenFile) and isinstance(other.root, OpenFile)
    return os.path.sameopenfile(one.root.fd, other.root.fd)


def _side(path: Path, data: Data, sha256: str | None) -> Side:
    return Side(name=str(path), format=describe(data), size=data.size, sha256=sha256)


def _tree_side(path: Path) -> Side:
    return Side(name=str(path), format=_DIRECTORY, size=0, sha256=None)


def _named(error: UnreadableError, a: Path, b: Path) -> UnreadableError:
    """Add what to do next to an error that says already which input it is about."""
    return UnreadableError(error.message, hint=error.hint or "Fetch or build that image again.")
