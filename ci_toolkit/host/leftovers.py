"""What runs that were killed left behind: each run's directory is locked as long as it lives."""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

# How long a directory of a run may be there before its run has locked it.
_YOUNG_SECONDS: Final = 60.0


def sweep(places: Iterable[Path], prefix: str) -> None:
    """Remove the directories in PLACES whose names begin with PREFIX, that are this user's, and of which no run lives.

    A run holds a lock on its own as long as it lives. One that is younger may not have got that far.
    """
    for place in places:
        for path in place.glob(f"{prefix}*"):
            with contextlib.suppress(OSError):
                found = path.lstat()
                old = found.st_mtime < time.time() - _YOUNG_SECONDS
                if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or not old:
                    continue
                held = lock(path)
                try:
                    shutil.rmtree(path, ignore_errors=True)
                finally:
                    os.close(held)


def lock(directory: Path) -> int:
    """Lock DIRECTORY and return its descriptor, with which the lock goes. Raises OSError where a living run has it."""
    held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        raise
    return held


@contextmanager
def directory(place: Path, prefix: str) -> Iterator[Path]:
    """Make a directory of this run in PLACE, and remove it at the end; those that others left there go first.

    Raises OSError where that cannot be done.
    """
    sweep((place,), prefix)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=place, ignore_cleanup_errors=True) as name:
        held = lock(Path(name))
        try:
            yield Path(name)
        finally:
            os.close(held)
