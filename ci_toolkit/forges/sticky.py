"""One comment, found again by its marker."""

from collections.abc import Iterable

from ci_toolkit.errors import ForgeError
from ci_toolkit.forges import marker as markers
from ci_toolkit.forges.forge import Comment, Forge, MissingError


def put(forge: Forge, marker: str, text: str, gone: set[int]) -> Comment:
    """Edit our first comment that carries MARKER, or create it; later ones of ours with the same marker go.

    Looks before it writes, so it may be called again after any failure: an answer that was lost on the way does not
    make a second comment. GONE collects comments that were deleted between the look and the edit.
    """
    body = markers.carry(marker, text)
    account = forge.account()
    marked = [c for c in forge.comments() if c.id not in gone and markers.is_carried(marker, c.body)]
    ours = [comment for comment in marked if _is_ours(comment, account)]
    for position, comment in enumerate(ours):
        try:
            edited = forge.edit(comment, body)
        except MissingError:
            gone.add(comment.id)
            continue
        _remove(forge, ours[position + 1 :])
        return edited
    created = forge.create(body)
    if account is None and created.author is not None:
        # Now we know who we are.
        earlier = [comment for comment in marked if comment.author == created.author and comment.id not in gone]
        return _prefer_first(forge, earlier, created, body)
    return created


def _is_ours(comment: Comment, account: str | None) -> bool:
    """Anybody can copy a marker into a comment, and a token that may write may edit anybody's."""
    return comment.by_bot if account is None else comment.author == account


def _prefer_first(forge: Forge, earlier: list[Comment], created: Comment, body: str) -> Comment:
    """For a token that may not ask who it is: keep our first comment, and take back the one just created."""
    for comment in earlier:
        try:
            edited = forge.edit(comment, body)
        except ForgeError:
            continue
        _remove(forge, [created])
        return edited
    return created


def _remove(forge: Forge, comments: Iterable[Comment]) -> None:
    """Two jobs that began at once may both have created one. What cannot be removed is no failure."""
    for comment in comments:
        try:
            forge.delete(comment)
        except ForgeError:
            return
