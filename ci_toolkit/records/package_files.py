"""The files that packages came from, and their SHA-256: mkosi's manifest has none, but the package cache has the files.

https://github.com/systemd/mkosi/blob/main/mkosi/manifest.py
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ci_toolkit.mkosi.manifest import Package
from ci_toolkit.records.record import Installed


def look_up(packages: Iterable[Package], cache: Path) -> tuple[Installed, ...]:
    """Return PACKAGES, each with the digest of its file below CACHE; None where there is none, or two that differ."""
    wanted = {one: frozenset(_names(one)) for one in packages}
    every = frozenset().union(*wanted.values())
    found: dict[str, list[Path]] = {}
    for place, _, names in os.walk(cache):
        for name in every.intersection(names):
            found.setdefault(name, []).append(Path(place, name))
    with ThreadPoolExecutor() as pool:
        digests = pool.map(
            lambda names: _digest(path for name in names for path in found.get(name, [])), wanted.values()
        )
        return tuple(
            Installed(name=one.name, architecture=one.architecture, version=one.version, sha256=digest)
            for one, digest in zip(wanted, digests, strict=True)
        )


def _names(package: Package) -> Iterator[str]:
    """Yield the names that apt, dnf, zypper and pacman give the file of PACKAGE; only rpm's lacks the epoch."""
    name, version, architecture = package.name, package.version, package.architecture
    yield f"{name}_{version.replace(':', '%3a')}_{architecture}.deb"
    yield f"{name}-{version.rpartition(':')[2]}.{architecture}.rpm"
    for suffix in ("zst", "xz", "gz"):
        yield f"{name}-{version}-{architecture}.pkg.tar.{suffix}"


def _digest(paths: Iterable[Path]) -> str | None:
    try:
        digests = {_sha256(path) for path in paths if path.is_file() and not path.is_symlink()}
    except OSError:
        return None
    return digests.pop() if len(digests) == 1 else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
