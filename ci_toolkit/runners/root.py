"""The root directory of a build: what makes up the system, and nothing that belongs to the caller or the CI.

A build runs as root of its own namespace, but for the kernel its files are those of an id outside, often of the
caller's own. It could read what he can: a checkout whose .git/config holds the job's token, a HOME with the registry's
password, the socket of a Docker engine. None of it is in this tree, and what is not there needs no permission.
"""

import ctypes
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from ci_toolkit.process import MINIMAL

_MS_BIND: Final = 0x1000
_MS_REC: Final = 0x4000
_MNT_DETACH: Final = 2

# The system: programs, libraries, their settings, the kernel's file systems.
_SYSTEM: Final = (
    *("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "opt", "etc", "nix", "gnu", "dev", "proc", "sys"),
    "var/lib/ca-certificates",  # where SUSE keeps what /etc/ssl points to
)

# What is there and empty, with its mode.
_EMPTY: Final = {
    **dict.fromkeys(("home", "media", "mnt", "run", "srv", "var", "var/cache", "var/lib", "var/log"), 0o755),
    **dict.fromkeys(("tmp", "var/tmp"), 0o1777),
    "root": 0o700,
}

# The C library has no pivot_root: its number, by machine (arch/*/entry/syscalls and asm-generic/unistd.h).
_PIVOT_ROOT: Final = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}

# Where the tree is put together; every system has this directory, and the new root hides it.
_BASE: Final = Path("/tmp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """A directory held open, and the path under which it appears in the new root."""

    source: str
    descriptor: int
    target: PurePosixPath


def hides(program: str, search: str = MINIMAL["PATH"]) -> tuple[str, ...]:
    """Return why a build would not find PROGRAM, which is in SEARCH, by a link to where it sees nothing."""
    found = shutil.which(program, path=search)
    place = Path(found).resolve() if found else None
    if place is None or any(place.is_relative_to(Path("/", name)) for name in _SYSTEM):
        return ()
    return (f"{program}: {found} leads to {place}, which a build does not see; install it below /usr or /opt",)


def hold(binds: Iterable[tuple[str, str]]) -> tuple[Bind, ...]:
    """Open the source of each of BINDS (source, target). Raises OSError for one that is not there.

    To be called before the ids change: the caller may search the directories above it, the build's root may not.
    """
    return tuple(
        Bind(source=source, descriptor=_open(source, target), target=PurePosixPath(target)) for source, target in binds
    )


def change(libc: ctypes.CDLL, held: Iterable[Bind]) -> None:
    """Make a new root directory with HELD in it that of this process, whose mount namespace is its own.

    Nothing of the old one can be reached afterwards, nor uncovered by unmounting. Raises OSError.
    """
    resolver = Path(os.path.realpath("/etc/resolv.conf"))
    _mount(libc, "tmpfs", _BASE, kind="tmpfs", options="mode=0755")
    for name, mode in _EMPTY.items():
        _directory(_BASE / name, mode)
    for name in _SYSTEM:
        _take_over(libc, Path("/", name), _BASE / name)
    if resolver.is_file() and resolver.parts[1] not in _SYSTEM:  # a link into /run, by systemd-resolved and others
        copy = _BASE / resolver.relative_to("/")
        _directories(copy.parent)
        copy.touch()
        _mount(libc, os.fspath(resolver), copy, flags=_MS_BIND)
    for bind in held:
        place = _BASE / bind.target.relative_to("/")
        _directories(place)
        _mount(libc, f"/proc/self/fd/{bind.descriptor}", place, flags=_MS_BIND | _MS_REC, called=bind.source)
        os.close(bind.descriptor)
    os.chdir(_BASE)
    # The old root is put on top of the new one, and taken away from there (pivot_root(2), "pivot_root(".", ".")").
    number = _PIVOT_ROOT.get(os.uname().machine)
    if number is None or libc.syscall(number, b".", b".") != 0:
        raise OSError(ctypes.get_errno(), f"pivot_root was refused: {os.strerror(ctypes.get_errno())}")
    if libc.umount2(b".", _MNT_DETACH) != 0:
        raise OSError(ctypes.get_errno(), f"the old root is still there: {os.strerror(ctypes.get_errno())}")
    os.chdir("/")


def _open(source: str, target: str) -> int:
    try:
        return os.open(source, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise OSError(error.errno, f"bind mount on {target}: {error.strerror}") from error


def _take_over(libc: ctypes.CDLL, source: Path, target: Path) -> None:
    """Have SOURCE at TARGET too, a link as a link; nothing where there is none."""
    if source.is_symlink():
        target.symlink_to(source.readlink())
    elif source.is_dir():
        _directories(target)
        _mount(libc, os.fspath(source), target, flags=_MS_BIND | _MS_REC)


def _directory(path: Path, mode: int) -> None:
    path.mkdir()
    path.chmod(mode)  # whatever the umask


def _directories(path: Path) -> None:
    for place in (*reversed(path.parents), path):
        if not place.exists():
            _directory(place, 0o755)


def _mount(
    libc: ctypes.CDLL, source: str, target: Path, *, kind: str = "", flags: int = 0, options: str = "", called: str = ""
) -> None:
    words = (os.fsencode(source), os.fsencode(target), kind.encode() or None, flags, options.encode() or None)
    if libc.mount(*words) != 0:
        where = target.relative_to(_BASE)
        raise OSError(ctypes.get_errno(), f"mount of {called or source} on /{where}: {os.strerror(ctypes.get_errno())}")
