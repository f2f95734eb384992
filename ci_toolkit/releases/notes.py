"""The notes of a release: its images, and what changed since the last one. Markdown; names come from images."""

from collections.abc import Iterator, Sequence
from typing import Final

from ci_toolkit.mkosi.manifest import Package
from ci_toolkit.releases.advisories import section
from ci_toolkit.releases.advisories.security import Security
from ci_toolkit.releases.contents import NAME, Contents, Image
from ci_toolkit.reports import change, glance
from ci_toolkit.reports.blocks import fold, rows
from ci_toolkit.reports.change import Packages
from ci_toolkit.reports.escape import code

# GitHub takes 125,000 characters for a release, GitLab a million.
_LIMIT_CHARACTERS: Final = 100_000
# How many packages of each image are listed: as many as fit.
_ROWS: Final = (1000, 300, 100, 30, 0)
_MB: Final = 1_000_000


def render(now: Contents, before: Contents | None, verify: str, security: Security | None = None) -> str:
    """Return the notes of NOW; BEFORE is the last release, None where there is none that says what it held.

    VERIFY is what one types to verify a download; SECURITY is None where nobody asked for advisories. Of many packages
    only so many are listed that a forge takes the text.
    """
    for limit in _ROWS:
        text = _rendered(now, before, verify, security, limit)
        if len(text) <= _LIMIT_CHARACTERS:
            return text
    return _rendered(now, before, verify, security, 0)[:_LIMIT_CHARACTERS]


def _rendered(now: Contents, before: Contents | None, verify: str, security: Security | None, limit: int) -> str:
    old = {image.name: image for image in before.images} if before is not None else {}
    parts = [_table(now.images, old)]
    for image in now.images:
        parts.extend(_changes(image, old.get(image.name), limit, alone=len(now.images) == 1))
    parts.extend(
        f"{code(name)} is no longer released." for name in sorted(old.keys() - {one.name for one in now.images})
    )
    if security is not None:
        parts.append(section.render(security))
    parts.append(f"Verify a download:\n\n```sh\n{verify}\n```")
    if now.commit:
        parts.append(f"Built twice from commit {now.commit}, to the same bits.")
    return "\n\n".join(parts) + "\n"


def _table(images: Sequence[Image], old: dict[str, Image]) -> str:
    head = ("Image", "Size", "SHA-256") if not old else ("Image", "Size", "Change", "SHA-256")
    cells = []
    for image in images:
        before = old.get(image.name)
        size = f"{image.size / _MB:,.1f} MB"
        moved = "new" if before is None else f"{(image.size - before.size) / _MB:+,.1f} MB"
        cells.append((code(image.file), size, *((moved,) if old else ()), code(image.sha256)))
    return rows(head, cells, (1, 2) if old else (1,))


def _changes(image: Image, before: Image | None, limit: int, *, alone: bool) -> Iterator[str]:
    if before is None or image.packages is None or before.packages is None:
        return
    found = change.packages(before.packages, image.packages)
    of = "" if alone else f" in {code(image.name)}"
    if not found:
        yield f"The packages{of} are those of the last release."
        return
    yield f"Packages{of}: {glance.moved(found)}."
    if limit:
        lines = list(_rows(found))
        more = f"\n\nand {len(lines) - limit} more, which {NAME} has" if len(lines) > limit else ""
        yield fold("All of them", rows(("Package", "Before", "Now"), lines[:limit]) + more)


def _rows(found: Packages) -> Iterator[tuple[str, str, str]]:
    for moved in found.moved:
        yield code(moved.name), code(moved.before), f"{code(moved.after)}{' (downgraded)' if moved.down else ''}"
    for package in found.added:
        yield code(package.name), "", _version(package)
    for package in found.removed:
        yield code(package.name), _version(package), ""


def _version(package: Package) -> str:
    return code(package.version) if package.version else "(no version)"
