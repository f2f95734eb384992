"""The directories of one run: a scratch directory beside the output, the package cache, and an output that is whole."""

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ci_toolkit.console import Console
from ci_toolkit.errors import FULL, BuildError, HostError, UsageError
from ci_toolkit.host import leftovers
from ci_toolkit.mkosi.source import MARK, RUN


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """`scratch` appears in the build, `packages` is kept between runs, `staged` becomes `output` at the very end.

    `tidies` tells that packages which no build has read are not worth keeping.
    """

    scratch: Path
    packages: Path
    staged: Path
    output: Path
    tidies: bool = False

    def publish(self) -> None:
        """Put the staged files in the place of the output, in one step where it is no mount point."""
        (self.staged / MARK).touch()
        old = self.staged.parent / "replaced"
        if not self._replaceable(old):
            self._fill()
            return
        try:
            self.staged.rename(self.output)
        except BaseException:
            if old.exists():
                old.rename(self.output)
            raise

    def rescue(self, log: Path) -> Path:
        """Move the LOG of a failed build beside the output, which stays as it was, and return where it is.

        Where the output is a volume of its own, what is beside it would be lost: then the log goes into it.
        """
        target = self.output.with_name(f"{self.output.name}.{log.name}")
        if self._is_inside():
            (self.output / MARK).touch()
            target = self.output / f"failed.{log.name}"
        return log.rename(target)

    def _is_inside(self) -> bool:
        return self.staged.is_relative_to(self.output)

    def _replaceable(self, old: Path) -> bool:
        """Move what is in the output's place to OLD; tell whether that could be done."""
        if self._is_inside():
            return False
        try:
            if self.output.exists():
                self.output.rename(old)
        except OSError as error:
            if error.errno in (errno.EBUSY, errno.EXDEV):  # a bind mount from the same file system
                return False
            raise
        return True

    def _fill(self) -> None:
        """Replace what is in the output, which itself cannot be moved."""
        (self.output / MARK).touch()
        for path in self.output.iterdir():
            if path.is_dir() and not path.is_symlink():
                if not self.staged.is_relative_to(path):
                    shutil.rmtree(path)
            elif path.name != MARK:
                path.unlink()
        for path in self.staged.iterdir():
            shutil.move(path, self.output / path.name)


@contextmanager
def open_workshop(
    output: Path, environ: Mapping[str, str], console: Console, *, cache: Path | None = None
) -> Iterator[Workshop]:
    """Make the directories for a run whose result goes to OUTPUT, and take away what is not the result.

    Packages are kept in CACHE, which is tidied then, or in the user's own cache, which other definitions share.

    Raises UsageError when OUTPUT holds files that the toolkit did not put there, HostError when nothing can be written
    there, and BuildError when, also later, the file system is full.
    """
    try:
        output = output.resolve()
        _check(output)
        output.parent.mkdir(parents=True, exist_ok=True)
        leftovers.sweep((output.parent, output), RUN)
        base = _base(output)
        held = leftovers.lock(base)
    except OSError as error:
        raise HostError(
            f"{error.filename or output}: {error.strerror}", hint="Name an --output that can be written."
        ) from error
    try:
        with _packages(cache, environ, base, console) as packages:
            yield Workshop(
                scratch=_plain(base / "scratch"),
                packages=packages,
                staged=_plain(base / "staged"),
                output=output,
                tidies=cache is not None,
            )
    except OSError as error:
        if not _is_full(error):
            raise
        # Of a copy that fails, the first name is that of the source.
        name = error.filename2 or error.filename
        where = f": {name}" if name else ""
        hint = f"Free space, or name an --output on a larger file system than that of {output.parent}."
        raise BuildError(f"the disk is full{where}", hint=hint) from error
    finally:
        shutil.rmtree(base, ignore_errors=True)
        if base.exists():
            console.warn(f"{base} could not be removed whole", hint="Some files in it belong to another user.")
        os.close(held)


def _check(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output} is not a directory", hint="Name another --output.")
    if not output.is_dir() or (output / MARK).exists():
        return
    if any(not path.name.startswith(RUN) for path in output.iterdir()):
        raise UsageError(f"{output} holds files that are not ours", hint="Name an empty or new directory in --output.")


def _base(output: Path) -> Path:
    """Make the directory of this run on the file system of OUTPUT: beside it, or in it where that cannot be."""
    if not output.is_mount():
        try:
            return Path(tempfile.mkdtemp(prefix=RUN, dir=output.parent))
        except PermissionError:
            if not output.is_dir():
                raise
    return Path(tempfile.mkdtemp(prefix=RUN, dir=output))


def _is_full(error: OSError) -> bool:
    """Tell whether ERROR, which may be shutil's list of what went wrong, comes from a full disk."""
    return error.errno in FULL or (
        isinstance(error, shutil.Error) and any(os.strerror(number) in str(error) for number in FULL)
    )


def _plain(path: Path) -> Path:
    """Make a directory that hands on nothing of the one above it: no setgid bit, no default ACL."""
    path.mkdir()
    path.chmod(0o755)
    for attribute in ("system.posix_acl_default", "system.posix_acl_access"):
        try:
            os.removexattr(path, attribute)
        except OSError:
            continue
    return path


@contextmanager
def _packages(cache: Path | None, environ: Mapping[str, str], base: Path, console: Console) -> Iterator[Path]:
    """Yield the packages in CACHE or those of this user, or a fresh place while another run has them.

    Also where this user has no cache; a CACHE that was asked for and cannot be written is an error.
    """
    packages = packages_directory(cache, environ)
    try:
        if not packages.is_absolute():
            raise NotADirectoryError
        packages.mkdir(parents=True, exist_ok=True)
        (packages.parent / MARK).touch()  # where it lies in a checkout, it is no part of the definition
        lock = (packages.parent / "packages.lock").open("w")
    except OSError as error:
        if cache is not None:
            raise HostError(
                f"{error.filename or cache}: {error.strerror}", hint="Name a --cache that can be written."
            ) from error
        yield _plain(base / "packages")
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            console.say("Another run has the package cache; this one starts with an empty one")
            packages = _plain(base / "packages")
        yield packages


def packages_directory(cache: Path | None, environ: Mapping[str, str]) -> Path:
    """Return where packages are kept between runs: in CACHE, or in this user's own."""
    return (cache_directory(environ) if cache is None else cache.absolute()) / "packages"


def cache_directory(environ: Mapping[str, str]) -> Path:
    """Return our place in the user's cache (XDG Base Directory Specification), not absolute where there is none."""
    named, home = Path(environ.get("XDG_CACHE_HOME", "")), Path(environ.get("HOME", ""))
    return (named if named.is_absolute() else home / ".cache") / "ci-toolkit"
