"""One comment, found again by its marker."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from ci_toolkit.errors import ForgeError
from ci_toolkit.forges import marker as markers
from ci_toolkit.forges.forge import Comment, Forge, MissingError
from ci_toolkit.forges.marker import Stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What is to stand in the comment that carries `marker`, and which pipeline says it.

    `quiet`: there is nothing in it that anybody waits for, so that it makes no comment where there is none.
    """

    marker: str
    text: str
    stamp: Stamp = field(default_factory=Stamp)
    quiet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """What became of a note: the comment, and whether it was left to a newer pipeline; no comment for a quiet one."""

    comment: Comment | None
    newer: bool = False


def put(forge: Forge, note: Note, gone: set[int]) -> Put:
    """Edit our first comment that carries the marker, or create it; later ones of ours with the same marker go.

    Looks before it writes, and again after it created one, so it may be called again after any failure, and beside
    another pipeline: neither makes a second comment. GONE collects comments that were deleted between the look and the
    edit.
    """
    account = forge.account()
    ours, _ = _find(forge, note.marker, account, gone)
    for position, comment in enumerate(ours):
        try:
            done = _renew(forge, comment, note)
        except MissingError:
            gone.add(comment.id)
            continue
        return _join(forge, done, ours[position + 1 :], note.marker)
    if note.quiet:
        return Put(comment=None)
    created = forge.create(markers.carry(note.marker, note.text, note.stamp))
    return _settle(forge, created, note, account, gone)


def outdate(forge: Forge, marker: str, stamp: Stamp) -> Comment | None:
    """Say in the comment that carries MARKER that the commit of STAMP is being built; None where nothing is to be said.

    The stamp is written too: a pipeline before this one, still at work, is then known to be the older one.
    """
    ours, _ = _find(forge, marker, forge.account(), set())
    if not ours:
        return None
    old, text = markers.read(marker, ours[0].body)
    if stamp.is_before(old) or old.commit == stamp.commit:
        return None
    return forge.edit(ours[0], markers.carry(marker, markers.outdate(text, stamp.commit), stamp))


def _find(forge: Forge, marker: str, account: str | None, gone: set[int]) -> tuple[list[Comment], list[Comment]]:
    """Return our comments that carry MARKER, and those of everybody."""
    marked = [c for c in forge.comments() if c.id not in gone and markers.is_carried(marker, c.body)]
    return [comment for comment in marked if _is_ours(comment, account)], marked


def _renew(forge: Forge, comment: Comment, note: Note) -> Put:
    """Write the note into COMMENT, unless a newer pipeline has; where that one is still at work its line stays."""
    old, text = markers.read(note.marker, comment.body)
    body = markers.carry(note.marker, note.text, note.stamp)
    newer = note.stamp.is_before(old)
    if newer:
        if not markers.is_outdated(text):
            return Put(comment=comment, newer=True)
        body = markers.carry(note.marker, markers.outdated_as(note.text, text), old)
    return Put(comment=comment if comment.body == body else forge.edit(comment, body), newer=newer)


def _settle(forge: Forge, created: Comment, note: Note, account: str | None, gone: set[int]) -> Put:
    """See whether another comment of ours came before the one just CREATED; then that one stays, and this one goes.

    Another pipeline may have created it meanwhile; and an app that may not ask who it is knows that only now.
    """
    try:
        ours, marked = _find(forge, note.marker, account, gone)
    except ForgeError:
        return Put(comment=created)  # it stands; whoever comes next finds two, and removes one
    if account is None and created.author is not None:
        ours = [comment for comment in marked if comment.author == created.author]
    for comment in ours:
        if comment.id >= created.id:
            break
        try:
            done = _renew(forge, comment, note)
        except ForgeError:
            continue
        return _join(forge, done, [created], note.marker)
    return _join(forge, Put(comment=created), [comment for comment in ours if comment.id > created.id], note.marker)


def _is_ours(comment: Comment, account: str | None) -> bool:
    """Anybody can copy a marker into a comment, and a token that may write may edit anybody's."""
    return comment.by_bot if account is None else comment.author == account


def _join(forge: Forge, kept: Put, others: Sequence[Comment], marker: str) -> Put:
    """Remove OTHERS, what two jobs that began at once may both have created; what the newest of them says is KEPT.

    Its pipeline may not have seen ours, and would not say it again. What cannot be removed is no failure.
    """
    if not others or kept.comment is None:
        return kept
    newest = max(others, key=lambda comment: markers.read(marker, comment.body)[0].run)
    stamp, _ = markers.read(marker, newest.body)
    try:
        if markers.read(marker, kept.comment.body)[0].is_before(stamp):
            kept = Put(comment=forge.edit(kept.comment, newest.body), newer=True)
        for comment in others:
            with contextlib.suppress(ForgeError):
                forge.delete(comment)
    except ForgeError:
        return kept
    return kept
