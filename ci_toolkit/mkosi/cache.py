"""The package cache between runs of a CI: the key under which it is kept, and what of it is worth keeping."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ci_toolkit.mkosi import source as sources
from ci_toolkit.mkosi.source import Source

# The settings of mkosi.conf that decide which packages are fetched, and from where (mkosi(1)).
_DECIDE: Final = frozenset(
    ("Distribution", "Release", "Architecture", "Mirror", "LocalMirror", "Snapshot", "Repositories")
    + ("Packages", "BuildPackages", "VolatilePackages", "WithRecommends", "SandboxTrees", "PackageManagerTrees")
    + (
        "Include",
        "Dependencies",
        "Profiles",
        "Format",
        "Bootable",
        "Bootloader",
        "ShimBootloader",
        "UnifiedKernelImages",
    )
    + ("Initrds", "InitrdPackages", "InitrdVolatilePackages", "InitrdProfiles", "SELinuxRelabel")
    + ("ToolsTree", "ToolsTreeDistribution", "ToolsTreeRelease", "ToolsTreeMirror", "ToolsTreeRepositories")
    + ("ToolsTreePackages", "ToolsTreeProfiles", "ToolsTreeSandboxTrees", "ToolsTreePackageManagerTrees")
)
# Sections in which every line decides whether the rest of a file counts.
_CONDITIONS: Final = frozenset(("Match", "TriggerMatch"))

# What names a repository in a sandbox tree.
_REPOSITORIES: Final = (".sources", ".list", ".repo", "pacman.conf")
_PACKAGES: Final = re.compile(r"\.(deb|ddeb|rpm|apk|pkg\.tar(\.\w+)?)(\.sig)?$")
_SETTING: Final = re.compile(r"(\w+)\s*=\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key for a CI's cache, and what keys to fall back on begin with, the nearest first."""

    key: str
    prefixes: tuple[str, ...]


def key(source: Source, *, architecture: str, arguments: Iterable[str], now: datetime) -> Key:
    """Return the key of the package cache for a definition called with mkosi's ARGUMENTS (profiles among them).

    It changes with what decides which packages are fetched and from where. Where no Snapshot= pins them, newer ones
    come in, and the key is that of a week (ISO 8601), so that a cache of an earlier week is kept anew.
    """
    digest = hashlib.sha256()
    pinned = False
    for text in (*deciding(source), *arguments):
        pinned = pinned or text.startswith("Snapshot=") or text.startswith("--snapshot")
        digest.update(f"{text}\0".encode("utf-8", "surrogateescape"))
    general = f"ci-toolkit-packages-{architecture}-"
    exact = f"{general}{digest.hexdigest()[:16]}-"
    year, week, _ = now.astimezone(UTC).isocalendar()
    return Key(key=f"{exact}{'pinned' if pinned else f'{year}w{week:02}'}", prefixes=(exact, general))


def deciding(source: Source) -> Iterator[str]:
    """Yield, in an order that is always the same, what of a definition decides which packages are fetched."""
    listed = sorted(relative for relative, _ in sources.files(source))
    wanted = {source.directory}
    while True:
        chosen = [path for path in listed if any(path == place or place in path.parents for place in wanted)]
        texts = [text for path in chosen for text in _deciding(source.root / path, path)]
        included = wanted | set(_included(texts, source.directory))
        if included == wanted:
            break
        wanted = included
    yield from texts


def _deciding(path: Path, name: Path) -> Iterator[str]:
    if not path.is_file():
        return
    if path.name.endswith(_REPOSITORIES):
        yield f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    elif path.suffix == ".conf" and any(part.startswith("mkosi.") for part in name.parts):
        yield from (f"{setting}" for setting in settings(path.read_text(encoding="utf-8", errors="surrogateescape")))


def settings(text: str) -> Iterator[str]:
    """Yield what of TEXT, a mkosi.conf, decides which packages are fetched: "Name=value", conditions as they are."""
    section, kept = "", False
    for line in text.splitlines():
        words = " ".join(line.split())
        if not words or words[0] in "#;":
            continue
        if words.startswith("["):
            section, kept = words.strip("[]"), False
            if section in _CONDITIONS:
                yield words
        elif line[0].isspace():  # the value goes on
            if kept:
                yield words
        else:
            found = _SETTING.match(words)
            kept = section in _CONDITIONS or (found is not None and found[1] in _DECIDE)
            if kept:
                yield _SETTING.sub(r"\1=", words, count=1)


def _included(texts: Iterable[str], directory: Path) -> Iterator[Path]:
    """Yield the places, relative to the root, that Include= names; mkosi takes them relative to the definition."""
    for text in texts:
        if text.startswith("Include="):
            for name in text.removeprefix("Include=").split():
                yield Path(os.path.normpath(directory / name))


def holds_any(packages: Path) -> bool:
    """Tell whether there is a package below PACKAGES."""
    return next(_files(packages), None) is not None


def forget_reading(packages: Path) -> None:
    """Set the access time of every package below PACKAGES to the epoch, to see later which of them was read."""
    for path in _files(packages):
        with suppress(OSError):
            os.utime(path, ns=(0, path.stat().st_mtime_ns))


def drop_unread(packages: Path, read: Path) -> int:
    """Remove the packages below PACKAGES whose copies below READ nobody has read, and return the bytes they had.

    Nothing is removed where the file system keeps no access times.
    """
    unread = [path for path in _files(packages) if not _was_read(read / path.relative_to(packages))]
    if not any(_was_read(path) for path in _files(read)):
        return 0
    freed = 0
    for path in unread:
        with suppress(OSError):
            size = path.stat().st_size
            path.unlink()
            freed += size
    return freed


def _was_read(path: Path) -> bool:
    try:
        return path.stat().st_atime_ns != 0
    except OSError:
        return False


def _files(directory: Path) -> Iterator[Path]:
    for place, _, names in os.walk(directory):
        yield from (Path(place, name) for name in sorted(names) if _PACKAGES.search(name))
