"""A directory for mirrors: a directory for each version, and `latest`, a link that is switched in one step.

    ROOT/2026.11.28/SHA256SUMS …    ROOT/latest -> 2026.11.28    ROOT/.2026.12.12.partial   (not yet published)

`rsync --archive --exclude='/.*' ROOT/ …` copies what is published and nothing else.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ci_toolkit.errors import FULL, ForgeError, HostError, UsageError
from ci_toolkit.publish import files
from ci_toolkit.publish.files import PIECE_BYTES, File, Release
from ci_toolkit.publish.target import Watch
from ci_toolkit.releases import version as versions
from ci_toolkit.releases.past import Past

LATEST: Final = "latest"


class Directory:
    """A `Target`: the directory ROOT."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.name = str(root)
        self.limit: int | None = None

    def obstacles(self, release: Release) -> tuple[str, ...]:
        """Return none: a directory takes every file."""
        return ()

    def releases(self) -> tuple[Past, ...]:
        """Return the versions that are there, with the links to them but `latest`."""
        if not self._root.is_dir():
            return ()
        with self._understood():
            links: dict[str, list[str]] = {}
            for path in sorted(self._root.iterdir()):
                if path.is_symlink() and path.name != LATEST:
                    links.setdefault(path.readlink().name, []).append(path.name)
            found = [path.name for path in self._root.iterdir() if path.is_dir() and not path.is_symlink()]
        return tuple(
            Past(version=name, labels=tuple(links.get(name, ()))) for name in found if versions.day_of(name) is not None
        )

    def read(self, version: str, name: str, limit: int) -> bytes | None:
        """Return the file NAME of VERSION."""
        path = self._root / version / name
        with self._understood():
            if path.is_symlink() or not path.is_file() or path.stat().st_size > limit:
                return None
            return path.read_bytes()

    def upload(self, release: Release, watch: Watch) -> tuple[File, ...]:
        """Copy what is missing into the hidden directory of the version."""
        with self._understood(), self._locked():
            if _holds(self._root / release.version, _essential(release)):
                return ()
            partial = self._partial(release.version)
            if not partial.exists() and (self._root / release.version).exists():
                raise ForgeError(
                    f"{self.name} has another release {release.version}", hint="Remove it, or wait for the next day."
                )
            partial.mkdir(exist_ok=True)
            wanted = _all(release)
            _remove_others(partial, {one.name for one in wanted})
            sent = tuple(one for one in wanted if not _is_there(partial / one.name, one))
            for one in sent:
                _copy(one, partial / one.name, watch(one.name, one.size))
            _sync(partial)
            return sent

    def publish(self, release: Release) -> str:
        """Give the directory its name, and switch `latest`, unless that names a newer one."""
        target, partial = self._root / release.version, self._partial(release.version)
        with self._understood(), self._locked():
            if partial.exists() and not target.exists():
                if not _holds(partial, _all(release)):
                    raise ForgeError(f"{partial} is not whole", hint="Run it again with --resume.")
                partial.rename(target)
            if not target.is_dir():
                raise ForgeError(f"{target} is not there", hint="Run it again with --resume.")
            newest = max((past.version for past in self.releases()), key=versions.order)
            self._switch(newest)
            _sync(self._root)
            self._sweep(newest)
        return str(target)

    def remove(self, past: Past) -> None:
        """Remove a version: it vanishes at once, its files after it."""
        gone = self._root / f".{past.version}.removed"
        with self._understood(), self._locked():
            if (self._root / past.version).is_dir():
                (self._root / past.version).rename(gone)
            self._sweep("")

    def _partial(self, version: str) -> Path:
        return self._root / f".{version}.partial"

    def _sweep(self, newest: str) -> None:
        """Remove what was being removed, and what was begun for a version before the NEWEST and never published."""
        for path in self._root.glob(".*.removed"):
            shutil.rmtree(path, ignore_errors=True)
        for path in self._root.glob(".*.partial"):
            version = path.name.removeprefix(".").removesuffix(".partial")
            if versions.day_of(version) is not None and versions.order(version) < versions.order(newest):
                shutil.rmtree(path, ignore_errors=True)

    def _switch(self, version: str) -> None:
        link, temporary = self._root / LATEST, self._root / f".{LATEST}"
        if link.is_symlink() and link.readlink() == Path(version):
            return
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(version)
        temporary.replace(link)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the directory, which another release may have now."""
        self._root.mkdir(parents=True, exist_ok=True)
        held = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield
        finally:
            os.close(held)

    @contextlib.contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in FULL:
                raise HostError(
                    f"the disk is full: {self.name} has no room for the release",
                    hint="Free space, and run it again with --resume: what was copied is not copied again.",
                ) from error
            raise UsageError(
                f"{error.filename or self.name}: {error.strerror}", hint="Name another directory."
            ) from error


def _all(release: Release) -> tuple[File, ...]:
    """Return the files of RELEASE, those of its container images too."""
    more = (one for container in release.containers for one in container.files())
    return tuple(sorted((*release.files, *more), key=lambda one: one.name))


def _essential(release: Release) -> tuple[File, ...]:
    left_out = set(release.files) - set(release.essential)
    return tuple(one for one in _all(release) if one not in left_out)


def _holds(place: Path, wanted: tuple[File, ...]) -> bool:
    return place.is_dir() and all(_is_there(place / one.name, one) for one in wanted)


def _is_there(path: Path, wanted: File) -> bool:
    if path.is_symlink() or not path.is_file() or path.stat().st_size != wanted.size:
        return False
    return files.file(path, wanted.name).sha256 == wanted.sha256


def _remove_others(place: Path, names: set[str]) -> None:
    """Remove what an earlier attempt left that the release does not have any more."""
    for path in sorted(place.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):  # it holds something
                path.rmdir()
        elif path.relative_to(place).as_posix() not in names:
            path.unlink()


def _copy(source: File, target: Path, ahead: files.Ahead) -> None:
    """Copy SOURCE to TARGET, whose bytes have to be those that were judged. Raises ForgeError, OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}")
    hashed = hashlib.sha256()
    with source.path.open("rb") as file, temporary.open("wb") as copy:
        while piece := file.read(PIECE_BYTES):
            hashed.update(piece)
            copy.write(piece)
            ahead(len(piece))
        copy.flush()
        os.fsync(copy.fileno())
    if hashed.hexdigest() != source.sha256 or not _is_there(temporary, source):
        temporary.unlink()
        raise ForgeError(
            f"{source.name} came out with another digest", hint="Has the file changed, or is the disk bad?"
        )
    temporary.chmod(0o644)
    temporary.replace(target)


def _sync(directory: Path) -> None:
    held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(held)
    finally:
        os.close(held)
