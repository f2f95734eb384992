"""Find the machine's Debian mirror in apt's sources, in both of their formats."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Suites of Debian itself; a host's own codename comes from os-release. Others (noble, stable/12.1, ./) are not Debian.
_SUITES: Final = (
    "oldstable",
    "stable",
    "testing",
    "unstable",
    "sid",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
)
_KEYRING: Final = "debian-archive-"
_OWN_FILES: Final = ("sources.list", "debian.sources")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One archive at `uri` with one `suite`, as the file named `file` says."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str
    file: str


def find_mirror(root: Path = Path("/")) -> str | None:
    """Return the URI of the Debian archive that the machine at ROOT uses, None where it uses none (as Ubuntu does)."""
    mirror = choose(_read_all(root / "etc/apt"), _codename(root))
    if mirror is not None and mirror.startswith("mirror"):
        return _from_list(mirror, root)
    return mirror


def choose(sources: Iterable[Source], codename: str | None = None) -> str | None:
    """Return the URI of the main Debian archive among SOURCES, without a slash at its end.

    Others publish below Debian's suite names too; what Debian's own keys sign goes first, then what stands in the
    file that the installer writes, then an address that ends as Debian's do.
    """
    suites = {*_SUITES, *filter(None, (codename,))}
    found = [
        source
        for source in sources
        if source.suite in suites and "main" in source.components and re.match(r"https?://|mirror(\+|:)", source.uri)
    ]
    ranked = sorted(found, key=_strangeness)
    if not ranked or _strangeness(ranked[0]) == _STRANGE:
        return None
    return ranked[0].uri.rstrip("/")


_STRANGE: Final = 3


def _strangeness(source: Source) -> int:
    if _KEYRING in source.signed_by:
        return 0
    if source.signed_by:
        return _STRANGE
    if source.file in _OWN_FILES:
        return 1
    return 2 if source.uri.rstrip("/").endswith("/debian") else _STRANGE


def parse_list(text: str, file: str) -> Iterator[Source]:
    """Yield the binary sources of a one-line-style file (sources.list(5))."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<rest>[^#]+)", line)
        words = match["rest"].split() if match else []
        if match is None or len(words) < 2:
            continue
        uri, suite, *components = words
        signed = re.search(r"(?i)\bsigned-by=(\S+)", match["options"] or "")
        yield Source(
            uri=uri, suite=suite, components=tuple(components), signed_by=signed[1] if signed else "", file=file
        )


def parse_deb822(text: str, file: str) -> Iterator[Source]:
    """Yield the binary sources of a deb822-style file, one per URI and suite (sources.list(5))."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false", "0"):
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(
                    uri=uri,
                    suite=suite,
                    components=tuple(fields.get("components", "").split()),
                    signed_by=fields.get("signed-by", ""),
                    file=file,
                )


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1].isspace():
            fields[name] = f"{fields.get(name, '')} {line.strip()}"
        elif ":" in line:
            name, value = line.split(":", 1)
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def _read_all(directory: Path) -> Iterator[Source]:
    parts = directory / "sources.list.d"
    for path in (directory / "sources.list", *sorted(parts.glob("*.list")), *sorted(parts.glob("*.sources"))):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        yield from (parse_deb822 if path.suffix == ".sources" else parse_list)(text, path.name)


def _from_list(mirror: str, root: Path) -> str | None:
    """Return the first address of the list that MIRROR (mirror+file:/path, apt-transport-mirror(1)) names."""
    path = mirror.split(":", 1)[1]
    if not mirror.startswith("mirror+file:"):
        return None
    try:
        lines = (root / path.lstrip("/")).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.split()[0].rstrip("/") for line in lines if re.match(r"https?://", line)), None)


def _codename(root: Path) -> str | None:
    try:
        release = (root / "etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return None
    values = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', release, re.MULTILINE))
    return values.get("VERSION_CODENAME") if values.get("ID") == "debian" else None
