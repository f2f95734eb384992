"""The walk from the root of a file system down to its last name, which the readers of inodes share."""

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, NamedTuple, TypeVar

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.entry import Entry
from ci_toolkit.images.limits import BeyondLimitError, Budget, LongNameError

# What tells inodes apart: a number, or a number and its tree.
Key = TypeVar("Key", bound=Hashable)


class Below(NamedTuple, Generic[Key]):
    """What a directory holds: (path, key) one by one. `inode` is the directory's own, for people."""

    inode: int | str
    names: Iterator[tuple[str, Key]]


def walk(
    root: Key,
    visit: Callable[[str, Key], tuple[Entry, Below[Key] | None]],
    budget: Budget,
    skipped: list[tuple[str, str]],
    entered: set[Key] | None = None,
) -> Iterator[Entry]:
    """Yield the root and every name below it, directories in the order of their names' places.

    VISIT returns the entry of a path and key, and what is below it, None where it is no directory. What it cannot read
    (UnreadableError), a directory that comes again, and a name that is too long are added to SKIPPED with the reason.
    ENTERED are the directories that came already, and is added to. Raises BeyondLimitError: a file system in part would
    seem to lack the rest.
    """
    pending: list[Iterator[tuple[str, Key]]] = [iter((("", root),))]
    entered = set() if entered is None else entered
    while pending:
        found = next(pending[-1], None)
        if found is None:
            pending.pop()
            continue
        path, key = found
        try:
            budget.member(path)
            entry, below = visit(path, key)
        except LongNameError as error:
            skipped.append((path[: budget.limits.path], error.message))
            continue
        except BeyondLimitError:
            raise
        except UnreadableError as error:
            skipped.append((path, error.message))
            continue
        yield entry
        if below is None:
            continue
        if key in entered:
            skipped.append((path, f"inode {below.inode} is a directory in two places"))
            continue
        entered.add(key)
        pending.append(below.names)
