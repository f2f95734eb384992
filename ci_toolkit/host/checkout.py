"""What a checkout shows of the machine that made it: owners, modes, bits and lists that git does not keep."""

import errno
import os
import shlex
import stat
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_toolkit import process
from ci_toolkit.host.capabilities import Leak
from ci_toolkit.process import MINIMAL, Command

_GIT_SECONDS: Final = 15.0

# A checkout that is not git's is walked this far; the answer says so.
_WALKED: Final = 20_000

# git refuses a checkout of another user, and must be told once that this is understood.
_TRUSTING: Final[Mapping[str, str]] = {
    **MINIMAL,
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
    "GIT_CONFIG_KEY_1": "core.fsmonitor",
    "GIT_CONFIG_VALUE_1": "false",
}

# The caller's variables that decide where git looks for its configuration.
_GIT_VARIABLES: Final = ("HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_COUNT")

# linux/posix_acl.h and posix_acl_xattr.h: the tags, by their names in setfacl.
_ACL_TAGS: Final = {0x01: "user:", 0x02: "user:{}", 0x04: "group:", 0x08: "group:{}", 0x10: "mask:", 0x20: "other:"}
_ACL_VERSION: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Modes:
    """How the files of a checkout compare with git's modes: counts, and the first that differs."""

    files: int
    differing: int
    writable_by_others: int
    example: str | None


def owner(directory: Path) -> Leak:
    """Compare the owner of DIRECTORY with this process."""
    status = directory.stat()
    ours = (os.geteuid(), os.getegid())
    same = (status.st_uid, status.st_gid) == ours
    return Leak(
        name="checkout-owner",
        found=f"{status.st_uid}:{status.st_gid}, we are {ours[0]}:{ours[1]}",
        normal="0:0, the build's own root",
        leaks=not same,
        why="Files that are copied into the image keep their owner, and git refuses a checkout of another user.",
        fix="Check out as the user who builds; the toolkit builds from a copy with the right owner.",
    )


def set_group_id(directory: Path) -> Leak:
    """Look for the setgid bit on DIRECTORY: all that is made below it gets its group, and directories the bit."""
    mode = stat.S_IMODE(directory.stat().st_mode)
    return Leak(
        name="checkout-setgid",
        found=f"mode {mode:04o}" + (", setgid" if mode & stat.S_ISGID else ""),
        normal="0755",
        leaks=bool(mode & stat.S_ISGID),
        why="Below a setgid directory new directories are setgid too, and copied trees take that into the image.",
        fix=f"chmod g-s {directory}",
    )


def modes(directory: Path) -> Leak:
    """Compare the modes of the files below DIRECTORY with those that git would give them under umask 022."""
    tracked = _tracked(directory)
    found = count_modes(directory, _walk(directory) if tracked is None else tracked)
    text = f"{found.differing} of {found.files} files have other modes than git's"
    if tracked is None:
        text = f"no git here; {found.writable_by_others} of {found.files} files are writable by group or others"
    if found.example is not None:
        text += f" ({found.example})"
    return Leak(
        name="checkout-modes",
        found=text,
        normal="0644, or 0755 where git has the executable bit",
        leaks=bool(found.writable_by_others if tracked is None else found.differing),
        why="git keeps the executable bit only; the rest is the umask of whoever cloned, and mkosi.extra/ copies it.",
        fix="Clone under umask 022, or chmod -R u=rwX,go=rX; the toolkit builds from a copy with git's modes.",
    )


def count_modes(directory: Path, files: Mapping[str, int]) -> Modes:
    """Compare each of FILES (a path below DIRECTORY -> its mode by git) with the disk; links have no mode."""
    counted = differing = writable = 0
    example = None
    for name, wanted in files.items():
        try:
            status = (directory / name).lstat()
        except OSError:
            continue
        if not stat.S_ISREG(status.st_mode):
            continue
        counted += 1
        mode = stat.S_IMODE(status.st_mode)
        writable += bool(mode & 0o022)
        if mode != wanted:
            differing += 1
            example = example or f"{name} is {mode:04o}, git's is {wanted:04o}"
    return Modes(files=counted, differing=differing, writable_by_others=writable, example=example)


def parse_index(text: str) -> dict[str, int]:
    """Return path -> mode of the regular files in TEXT, what `git ls-files --stage -z` writes."""
    found = {}
    for entry in filter(None, text.split("\0")):
        facts, _, name = entry.partition("\t")
        if facts.startswith("100"):
            found[name] = int(facts[3:6], 8)
    return found


def git_ownership(directory: Path, environ: Mapping[str, str]) -> Leak:
    """Ask git, configured as the caller's is, whether it accepts DIRECTORY."""
    chosen = {name: environ[name] for name in environ if name in _GIT_VARIABLES or name.startswith("GIT_CONFIG_")}
    asked = Command(
        argv=("git", "-C", os.fspath(directory), "rev-parse", "--git-dir"), environment={**MINIMAL, **chosen}
    )
    completed = process.run(asked, timeout_seconds=_GIT_SECONDS)
    refused = "dubious ownership" in completed.stderr
    if refused:
        found = "git refuses: dubious ownership"
    elif completed.ok:
        found = "git accepts the checkout"
    elif completed.exit_code == 127:
        found = "git is not installed"
    else:
        found = "not a git checkout"
    return Leak(
        name="git-ownership",
        found=found,
        normal="git is asked with safe.directory set for its one call",
        leaks=refused,
        why="Scripts of an image that ask git for a version get nothing where git refuses the checkout.",
        fix=f"git config --global --add safe.directory {shlex.quote(os.fspath(directory))}",
    )


def default_acl(directory: Path, name: str) -> Leak:
    """Look for a default ACL on DIRECTORY; NAME tells which directory it is."""
    try:
        acl = parse_acl(os.getxattr(directory, "system.posix_acl_default"))
    except OSError as error:
        known = error.errno in (errno.ENODATA, errno.EOPNOTSUPP)
        acl, unknown = (), None if known else f"unknown: {error.strerror}"
    else:
        unknown = None
    return Leak(
        name=name,
        found=unknown or (f"{directory}: " + (",".join(acl) or "none")),
        normal="none: it is taken off what a build is given",
        leaks=bool(acl),
        why="A default ACL replaces the umask for all that is made below it, and is inherited by directories of the "
        "image.",
        fix=f"setfacl -k {directory}",
    )


def parse_acl(value: bytes) -> tuple[str, ...]:
    """Return the entries of VALUE, the attribute system.posix_acl_default (linux/posix_acl_xattr.h), as setfacl's.

    A value of another version or length is shown in hexadecimal.
    """
    if len(value) < 4 or (len(value) - 4) % 8 or struct.unpack_from("<I", value)[0] != _ACL_VERSION:
        return (value.hex(),)
    return tuple(_entry(*fields) for fields in struct.iter_unpack("<HHI", value[4:]))


def _entry(tag: int, permissions: int, identity: int) -> str:
    rights = "".join(letter if permissions & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))
    return f"{_ACL_TAGS.get(tag, hex(tag)).format(identity)}:{rights}"


def _tracked(directory: Path) -> dict[str, int] | None:
    """Return git's modes of the files below DIRECTORY, or None where there is no git or no repository."""
    asked = Command(argv=("git", "-C", os.fspath(directory), "ls-files", "--stage", "-z"), environment=_TRUSTING)
    completed = process.run(asked, timeout_seconds=_GIT_SECONDS)
    return parse_index(completed.stdout) if completed.ok else None


def _walk(directory: Path) -> dict[str, int]:
    """Return the first files below DIRECTORY with the mode that they would have under umask 022."""
    found: dict[str, int] = {}
    for path in _files(directory):
        if len(found) >= _WALKED:
            break
        found[os.fspath(path.relative_to(directory))] = 0o755 if os.access(path, os.X_OK) else 0o644
    return found


def _files(directory: Path) -> Iterator[Path]:
    for top, _, names in os.walk(directory):
        yield from (Path(top) / name for name in names)
