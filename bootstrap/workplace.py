"""Where the set-up works and what it works with."""

import fcntl
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bootstrap.failures import SetupError
from bootstrap.journal import Journal
from bootstrap.programs import Programs


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """`root` is the checkout, `cache` this user's directory for what outlives it."""

    root: Path
    cache: Path
    environ: Mapping[str, str]
    journal: Journal
    programs: Programs
    is_root: bool

    @property
    def python(self) -> Path:
        return self.root / ".venv/bin/python"


def cache_directory(environ: Mapping[str, str]) -> Path:
    """Return the toolkit's cache directory; raise SetupError where it cannot be made."""
    home = environ.get("HOME")
    base = environ.get("XDG_CACHE_HOME") or (Path(home) if home else Path.home()) / ".cache"
    cache = Path(base) / "ci-toolkit"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"{cache}: {error.strerror}", hint="Name another directory in XDG_CACHE_HOME.") from error
    return cache


@contextmanager
def alone(workplace: Workplace) -> Iterator[None]:
    """Let one set-up work at a time; another one of this user waits, and says for whom."""
    with (workplace.cache / "setup.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            workplace.journal.note(f"another set-up is at work (process {lock.read().strip() or '?'}); waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def has_systemd() -> bool:
    """Tell whether systemd runs this machine (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def distribution() -> str:
    """Return the machine's distribution as it names itself."""
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "this system")
    except OSError:
        return "this system"
