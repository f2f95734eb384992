"""The directories in which a build would work: file system, free space, whether they can be written.

python -m ci_toolkit.host.workspaces DIRECTORY …
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from ci_toolkit.host import child
from ci_toolkit.host.capabilities import Capability

_SECONDS: Final = 10.0

# A bootable image of 0.8 GB leaves, with its package cache, its tree and a second build, 7 GB behind.
NEEDED_BYTES: Final = 10_000_000_000

# File systems that keep no Unix owners or no holes, or that are memory; each with what it means for a build.
UNSUITED: Final[Mapping[str, str]] = {
    "tmpfs": "is memory",
    "ramfs": "is memory",
    "9p": "may refuse foreign owners",
    "virtiofs": "may refuse foreign owners",
    "nfs": "may refuse foreign owners",
    "nfs4": "may refuse foreign owners",
    "cifs": "keeps no owners",
    "vfat": "keeps no owners",
    "exfat": "keeps no owners",
    "fuseblk": "keeps no owners",
    "vboxsf": "keeps no owners",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A directory: `kind` is its file system's name, `free_bytes` what we may still write."""

    path: str
    kind: str
    free_bytes: int
    writable: bool


def candidates(workspace: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where a build could write: WORKSPACE, where its output goes, the caller's cache, and /var/tmp."""
    cache = environ.get("XDG_CACHE_HOME") or f"{environ.get('HOME') or '/nonexistent'}/.cache"
    return tuple(dict.fromkeys((workspace, existing(Path(cache)), existing(Path("/var/tmp")))))


def existing(path: Path) -> Path:
    """Return PATH or the nearest directory above it that is there."""
    return next((place for place in (path, *path.parents) if place.is_dir()), Path("/"))


def probe(paths: Iterable[Path]) -> tuple[Capability, ...]:
    """Look at each of PATHS, in a child of its own: a dead mount holds up no other."""
    return tuple(_probe(path) for path in paths)


def _probe(path: Path) -> Capability:
    completed = child.run("ci_toolkit.host.workspaces", os.fspath(path), seconds=_SECONDS)
    if completed.ok:
        return judge(Workspace(**json.loads(completed.stdout)))
    return _capability(os.fspath(path), available=False, reason=child.how_it_ended(completed, _SECONDS))


def judge(workspace: Workspace) -> Capability:
    """Return whether WORKSPACE will do, and what speaks against it."""
    free = f"{workspace.free_bytes / 1e9:.1f} GB free"
    against = []
    if not workspace.writable:
        against.append("not writable")
    if workspace.free_bytes < NEEDED_BYTES:
        against.append(f"less than {NEEDED_BYTES / 1e9:.0f} GB")
    if workspace.kind in UNSUITED:
        against.append(f"{workspace.kind} {UNSUITED[workspace.kind]}")
    reason = f"{workspace.kind}, {free}" + (f": {', '.join(against)}" if against else "")
    return _capability(workspace.path, available=not against, reason=reason)


def _capability(path: str, *, available: bool, reason: str) -> Capability:
    return Capability(
        name=f"workspace:{path}",
        available=available,
        reason=reason,
        why="Two builds of a bootable image with their package cache take about 7 GB, on a file system that keeps "
        "owners.",
        fix="Name an --output on a larger local disk; on GitHub's runners remove what the job does not use.",
    )


def look(path: Path, mounts: str) -> Workspace:
    """Look at PATH; MOUNTS is the text of /proc/self/mountinfo."""
    facts = os.statvfs(path)
    return Workspace(
        path=os.fspath(path),
        kind=kind_of(path.stat().st_dev, mounts),
        free_bytes=facts.f_bavail * facts.f_frsize,
        writable=os.access(path, os.W_OK),
    )


def kind_of(device: int, mounts: str) -> str:
    """Return the type of the file system DEVICE (st_dev) in MOUNTS, proc(5)'s mountinfo; "unknown" if not there."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        mount, _, source = line.partition(" - ")
        if mount.split()[2:3] == [wanted]:
            return source.split()[0]
    return "unknown"


def main(arguments: list[str]) -> int:
    """Write one workspace as JSON."""
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    sys.stdout.write(json.dumps(asdict(look(Path(arguments[0]), mounts))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
