"""Write a package as pacman reads it: a tar of .PKGINFO, .MTREE, perhaps .INSTALL, and the files."""

import gzip
import hashlib
import io
import subprocess
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# mtime of what is in no package of Debian.
SINCE: Final = 1_700_000_000
_KINDS: Final = {tarfile.REGTYPE: "file", tarfile.LNKTYPE: "file", tarfile.DIRTYPE: "dir", tarfile.SYMTYPE: "link"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of a package; `kind` is tarfile's type, `target` where a symbolic or hard link leads."""

    path: str
    kind: bytes
    mode: int
    gid: int = 0
    mtime: int = SINCE
    content: bytes = b""
    target: str = ""

    def header(self) -> tarfile.TarInfo:
        info = tarfile.TarInfo(self.path)
        info.type, info.mode, info.gid, info.mtime = self.kind, self.mode, self.gid, self.mtime
        info.size, info.linkname = len(self.content) if self.kind == tarfile.REGTYPE else 0, self.target
        return info


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What becomes one .pkg.tar.zst; `version` is pkgver-pkgrel, `backup` the configuration files."""

    name: str
    version: str
    description: str
    architecture: str = "x86_64"
    depends: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    backup: tuple[str, ...] = ()
    scriptlet: str = ""
    members: Sequence[Member] = ()

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.version}-{self.architecture}.pkg.tar.zst"


def directory(path: str, *, mode: int = 0o755, gid: int = 0) -> Member:
    return Member(path=path, kind=tarfile.DIRTYPE, mode=mode, gid=gid)


def link(path: str, target: str) -> Member:
    return Member(path=path, kind=tarfile.SYMTYPE, mode=0o777, target=target)


def text(path: str, content: str, *, mode: int = 0o644) -> Member:
    return Member(path=path, kind=tarfile.REGTYPE, mode=mode, content=content.encode())


def write(package: Package, target: Path) -> Path:
    """Write PACKAGE into the directory TARGET and return the file; the same PACKAGE gives the same bytes."""
    members = sorted(package.members, key=lambda member: (member.kind == tarfile.LNKTYPE, member.path))
    head = [text(".PKGINFO", _information(package))]
    if package.scriptlet:
        head.append(text(".INSTALL", package.scriptlet))
    packed = gzip.compress(_mtree([*head, *members]).encode(), mtime=0)
    head.append(Member(path=".MTREE", kind=tarfile.REGTYPE, mode=0o644, content=packed))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for member in [*head, *members]:
            tar.addfile(member.header(), io.BytesIO(member.content) if member.kind == tarfile.REGTYPE else None)
    path = target / package.file_name
    packed = subprocess.run(("zstd", "-q", "-3", "--stdout"), input=buffer.getvalue(), stdout=-1, check=True).stdout
    path.write_bytes(packed)
    return path


def _information(package: Package) -> str:
    size = sum(len(member.content) for member in package.members)
    rows: Iterable[tuple[str, str]] = (
        ("pkgname", package.name),
        ("pkgbase", package.name),
        ("xdata", "pkgtype=pkg"),
        ("pkgver", package.version),
        ("pkgdesc", package.description),
        ("url", "https://www.debian.org/"),
        ("builddate", str(max((member.mtime for member in package.members), default=SINCE))),
        ("packager", "Rig <rig@example.org>"),
        ("size", str(size)),
        ("arch", package.architecture),
        ("license", "custom"),
        *(("depend", name) for name in package.depends),
        *(("provides", f"{name}={package.version}") for name in package.provides),
        *(("backup", path) for path in package.backup),
    )
    return "".join(f"{key} = {value}\n" for key, value in rows)


def _mtree(members: Iterable[Member]) -> str:
    lines = ["#mtree"]
    contents: dict[str, bytes] = {}
    for member in members:
        words = [f"./{_quoted(member.path)}", f"time={member.mtime}.0", f"mode={member.mode:o}"]
        words += [f"uid=0 gid={member.gid}", f"type={_KINDS[member.kind]}"]
        if member.kind == tarfile.SYMTYPE:
            words.append(f"link={_quoted(member.target)}")
        elif member.kind != tarfile.DIRTYPE:
            content = contents[member.target] if member.kind == tarfile.LNKTYPE else member.content
            contents[member.path] = content
            words += [f"size={len(content)}", f"sha256digest={hashlib.sha256(content).hexdigest()}"]
        lines.append(" ".join(words))
    return "\n".join([*lines, ""])


def _quoted(path: str) -> str:
    """Return PATH as mtree(5) has it: octal for what is no plain character."""
    return "".join(chr(byte) if 33 <= byte < 127 and byte not in b"\\#=" else f"\\{byte:03o}" for byte in path.encode())
