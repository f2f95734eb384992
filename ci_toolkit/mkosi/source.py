"""Copy an image definition into the build with git's own file modes, owners and times instead of the checkout's.

git keeps only the executable bit; all else about a checked-out file comes from the machine: the umask (0000 on
GitLab's Docker executor), the uid, the time, a setgid bit or a default ACL of the directory above. What is copied
here has none of it.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_toolkit import process
from ci_toolkit.errors import UsageError
from ci_toolkit.process import MINIMAL, Command

# A commit has a time; a tree that is in no repository gets this one: 1980-01-02, which FAT can still express.
FALLBACK_EPOCH: Final = 315_619_200

# mkosi refuses secrets that others may read, and a checkout makes them 0644:
# https://github.com/systemd/mkosi/issues/4083
SECRETS: Final = frozenset(("mkosi.rootpw", "mkosi.passphrase", "mkosi.key"))

# What mkosi writes beside a definition; never part of it.
PRODUCTS: Final = frozenset(("mkosi.output", "mkosi.cache", "mkosi.builddir", "mkosi.workspace", "mkosi.tools"))

# What the toolkit itself writes there: an output holds this file, the directory of a run begins with this name.
MARK: Final = ".ci-toolkit"
RUN: Final = ".ci-toolkit-"

# git must not refuse a checkout of another uid, must not run what the repository's configuration names, and must not
# refresh the index, which would be ours then, with the modes of our umask.
_GIT: Final[Mapping[str, str]] = {
    **MINIMAL,
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_CONFIG_COUNT": "3",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
    "GIT_CONFIG_KEY_1": "core.fsmonitor",
    "GIT_CONFIG_VALUE_1": "false",
    "GIT_CONFIG_KEY_2": "core.hooksPath",
    "GIT_CONFIG_VALUE_2": "/dev/null",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An image definition, and what is known of it.

    `root` is the top of its git work tree, or the directory itself outside git; `directory` is relative to it.
    `epoch` is the time of the last commit in seconds; `dirty` tells that the work tree has other content than that
    commit. `commit` is None outside git. `remote` is the address of the remote "origin" as git has it, with any user
    and password in it.
    """

    root: Path
    directory: Path
    commit: str | None
    epoch: int
    dirty: bool
    remote: str | None = None


def find(directory: Path) -> Source:
    """Look at the definition in DIRECTORY; raises UsageError when there is none."""
    directory = directory.resolve()
    if not directory.is_dir():
        raise UsageError(f"{directory} is not a directory", hint="Name the directory that holds mkosi.conf.")
    if not any((directory / name).exists() for name in ("mkosi.conf", "mkosi.conf.d", "mkosi.images")):
        raise UsageError(f"{directory} holds no mkosi.conf", hint="Name the directory that holds it.")
    top = _git(directory, "rev-parse", "--show-toplevel")
    if top is None:
        return Source(root=directory, directory=Path(), commit=None, epoch=FALLBACK_EPOCH, dirty=False)
    root = Path(top.rstrip("\n"))
    last = _git(root, "log", "-1", "--format=%H %ct")
    if last is None:  # a repository without a commit
        return Source(root=root, directory=directory.relative_to(root), commit=None, epoch=FALLBACK_EPOCH, dirty=True)
    commit, seconds = last.split()
    status = _git(root, "status", "--porcelain", "-z", "--", os.fspath(directory.relative_to(root)) or ".")
    return Source(
        root=root,
        directory=directory.relative_to(root),
        commit=commit,
        epoch=int(seconds),
        dirty=any(line and not _is_ours(root, line) for line in (status or "").split("\0")),
        remote=(_git(root, "config", "--get", "remote.origin.url") or "").strip() or None,
    )


def copy(source: Source, target: Path, *, epoch: int, leave_out: tuple[Path, ...]) -> int:
    """Copy the tree of SOURCE to TARGET, which must not exist, and return how many modes were mended.

    Files get 0644 or 0755, directories 0755, secrets 0600; all times are EPOCH (seconds). LEAVE_OUT names directories
    of this machine that are not part of the definition (the output). Raises UsageError for a special file.
    """
    mended = 0
    target.mkdir(mode=0o755, parents=True)
    for relative, executable in sorted(files(source)):
        origin = source.root / relative
        if any(origin.is_relative_to(path) for path in leave_out):
            continue
        destination = target / relative
        _make_directories(target, relative.parent)
        if origin.is_symlink():
            destination.symlink_to(origin.readlink())
        elif origin.is_file():
            mode = 0o600 if relative.name in SECRETS else 0o755 if executable else 0o644
            mended += (origin.stat().st_mode & 0o7777) != mode
            shutil.copyfile(origin, destination)
            destination.chmod(mode)
        else:
            raise UsageError(f"{origin} is neither a file nor a symbolic link", hint="Take it out of the definition.")
    for path in (*target.rglob("*"), target):
        os.utime(path, (epoch, epoch), follow_symlinks=False)
    return mended


def _make_directories(target: Path, relative: Path) -> None:
    for parent in (*reversed(relative.parents), relative):
        path = target / parent
        if not path.exists():
            path.mkdir()
            path.chmod(0o755)


def files(source: Source) -> Iterator[tuple[Path, bool]]:
    """Yield each file of the definition, relative to its root, and whether it is executable."""
    listed = None
    if source.commit is not None or (source.root / ".git").exists():
        listed = _git(source.root, "ls-files", "--stage", "-z")
    if listed is None:
        yield from _walk(source.root, source.root)
        return
    for line in filter(None, listed.split("\0")):
        facts, name = line.split("\t", 1)
        path = source.root / name
        if facts.startswith("160000"):
            yield from _walk(source.root, path)
        elif path.is_symlink() or path.exists():
            # The index is believed, not the file: on a checkout made under umask 0 its bits say nothing.
            yield Path(name), facts.startswith("100755")
    for name in filter(None, (_git(source.root, "ls-files", "--others", "--exclude-standard", "-z") or "").split("\0")):
        places = (Path(name), *Path(name).parents)[:-1]
        if not any(_is_product(source.root / place) for place in places):
            yield Path(name), _is_executable(source.root / name)
    # Keys and passphrases are kept out of git by its ignore rules, and are part of the definition all the same.
    for name in SECRETS | {"mkosi.crt", "mkosi.local.conf"}:
        path = source.root / source.directory / name
        if path.exists() and _git(source.root, "check-ignore", "--quiet", "--", os.fspath(path)) is not None:
            yield path.relative_to(source.root), _is_executable(path)


def _walk(root: Path, top: Path) -> Iterator[tuple[Path, bool]]:
    """Yield the files below TOP of a tree that git does not know."""
    for directory, directories, files in os.walk(top):
        links = [name for name in directories if (Path(directory) / name).is_symlink()]
        trees = set(directories) - {".git"} - set(links)
        directories[:] = sorted(name for name in trees if not _is_product(Path(directory) / name))
        for name in (*links, *files):
            path = Path(directory) / name
            if name != ".git":
                yield path.relative_to(root), _is_executable(path)


def _is_ours(root: Path, status: str) -> bool:
    """Tell whether a line of `git status --porcelain` names a new directory that the toolkit made."""
    return status.startswith("?? ") and _is_product(root / status.removeprefix("?? "))


def _is_product(path: Path) -> bool:
    """Tell whether PATH was left by mkosi or by an earlier run, which may have had another output."""
    return path.name in PRODUCTS or path.name.startswith(RUN) or (path / MARK).exists()


def _is_executable(path: Path) -> bool:
    return bool(path.lstat().st_mode & 0o100)


def _git(directory: Path, *arguments: str) -> str | None:
    """Return what git answers in DIRECTORY, or None when it refuses (no repository, no commit) or is not there."""
    completed = process.run(
        Command(argv=("git", "-C", os.fspath(directory), *arguments), environment=_GIT), timeout_seconds=60
    )
    return completed.stdout if completed.ok else None
