"""Make a pacman repository of Debian's packages: python3 -m tests.arch.convert DIRECTORY, in the toolkit's image.

That has apt, dpkg, zstd, gpg and pacman's own repo-add. Every package is signed, as Arch does it, with a key made for
this repository, which is the one in its archlinux-keyring.
"""

import io
import os
import posixpath
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.arch import archive, files, packages, services
from tests.arch.archive import Member, Package


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb:
    """One downloaded package of Debian."""

    path: Path
    name: str
    fields: Mapping[str, str]

    @property
    def needs(self) -> Iterator[tuple[str, ...]]:
        """The names that each clause of Depends and Pre-Depends leaves the choice of."""
        clauses = ",".join(filter(None, (self.fields.get("Depends"), self.fields.get("Pre-Depends")))).split(",")
        for clause in filter(None, map(str.strip, clauses)):
            yield tuple(re.split(r"[\s(:]", name.strip(), maxsplit=1)[0] for name in clause.split("|"))


def fetch(target: Path) -> list[Deb]:
    """Download what is wanted and all that it depends on, as if nothing were installed.

    Exits with EX_UNAVAILABLE, and the last line from apt, where that cannot be had.
    """
    (target / "partial").mkdir(parents=True)
    (target / "status").touch()
    options = (f"Dir::State::status={target}/status", f"Dir::Cache::archives={target}", "APT::Sandbox::User=root")
    words = [word for option in options for word in ("-o", option)]
    _apt(target, *words, "update")
    _apt(target, *words, "install", "--no-install-recommends", "--download-only", *packages.WANTED)
    _apt(target, *words, "download", *packages.ALONE, *_kernel())
    return [_deb(path) for path in sorted(target.glob("*.deb"))]


def _apt(place: Path, *words: str) -> None:
    done = subprocess.run(("apt-get", "-q", "-y", *words), cwd=place, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        sys.exit(os.EX_UNAVAILABLE)


def _kernel() -> list[str]:
    """Return the packages that the kernel is in: how many these are depends on the release."""
    names = [packages.KERNEL]
    for name in names:
        told = subprocess.run(("apt-cache", "depends", name), check=True, capture_output=True, text=True).stdout
        found = re.findall(rf"^ *Depends: ({packages.OF_THE_KERNEL})$", told, re.MULTILINE)
        names += [one for one in found if one not in names]
    return names[1:]


def _deb(path: Path) -> Deb:
    told = subprocess.run(("dpkg-deb", "--field", path), check=True, capture_output=True, text=True).stdout
    fields = dict(line.split(": ", 1) for line in told.splitlines() if re.match(r"[A-Za-z-]+: ", line))
    return Deb(path=path, name=fields["Package"], fields=fields)


def arch_name(debian: str) -> str:
    if debian in packages.RENAMED:
        return packages.RENAMED[debian]
    patterns = packages.RENAMED_BY_PATTERN.items()
    return next((name for pattern, name in patterns if re.fullmatch(pattern, debian)), debian)


def convert(debs: list[Deb]) -> list[Package]:
    """Return Arch's packages, each of the Debian ones that stand in for it."""
    debs = [deb for deb in debs if deb.name not in packages.DROPPED]
    provided = {arch_name(deb.name): arch_name(deb.name) for deb in debs}
    for deb in debs:
        provided[deb.name] = arch_name(deb.name)
        for name in re.findall(r"[a-z0-9][a-z0-9+.-]+", re.sub(r"\([^)]*\)", "", deb.fields.get("Provides", ""))):
            provided.setdefault(name, arch_name(deb.name))
    grouped: dict[str, list[Deb]] = {}
    for deb in debs:
        grouped.setdefault(arch_name(deb.name), []).append(deb)
    return [_package(name, group, provided) for name, group in sorted(grouped.items())]


def _package(name: str, debs: list[Deb], provided: Mapping[str, str]) -> Package:
    members: dict[str, Member] = {}
    depends = set(files.DEPENDS.get(name, ()))
    backup: list[str] = []
    for deb in debs:
        for member in _members(deb):
            members.setdefault(member.path, member)
        for choice in deb.needs:
            depends |= {provided[word] for word in choice if word in provided and word != name}
        backup += _conffiles(deb)
    for path in [path for path in members if path.startswith("usr/lib/modules/") and path.endswith("/vmlinuz")]:
        base = archive.text(path.replace("/vmlinuz", "/pkgbase"), f"{name}\n")
        members[base.path] = base
    members |= {member.path: member for member in files.ADDED.get(name, ())}
    return Package(
        name=name,
        version=_version(next((deb for deb in debs if deb.name == name), debs[0]).fields["Version"]),
        description=debs[0].fields["Description"],
        depends=tuple(sorted(depends - {name})),
        provides=files.PROVIDES.get(name, ()),
        backup=tuple(sorted(path for path in backup if path in members)),
        scriptlet=files.SCRIPTLETS.get(name, ""),
        members=tuple(members.values()),
    )


def _version(debian: str) -> str:
    """Return Debian's [EPOCH:]UPSTREAM[-REVISION] with as few hyphens as pacman allows: the one before pkgrel."""
    return re.sub(r"[^A-Za-z0-9.:+_]", ".", debian) + "-1"


def _conffiles(deb: Deb) -> list[str]:
    told = subprocess.run(("dpkg-deb", "--info", deb.path, "conffiles"), capture_output=True, text=True, check=False)
    return [line.strip().removeprefix("/") for line in told.stdout.splitlines()]


def _members(deb: Deb) -> Iterator[Member]:
    """Yield the files of DEB where Arch has them, with Arch's owners."""
    tree = subprocess.run(("dpkg-deb", "--fsys-tarfile", deb.path), check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(tree)) as tar:
        for info in tar:
            path = moved(posixpath.normpath(info.name))
            if path in (".", *packages.MOVED) or f"{path}/".startswith(packages.LEFT_OUT):
                continue
            target = moved(posixpath.normpath(info.linkname)) if info.islnk() else info.linkname
            if info.issym() and moved(posixpath.normpath(posixpath.join(posixpath.dirname(path), target))) == path:
                continue
            file = tar.extractfile(info) if info.isreg() else None
            yield Member(
                path=path,
                kind=info.type,
                mode=_mode(info),
                gid=packages.GROUPS[info.gname],
                mtime=int(info.mtime),
                content=file.read() if file else b"",
                target=target,
            )


def _mode(info: tarfile.TarInfo) -> int:
    """Return the mode of INFO: setuid in place of set-group-id of `shadow`, and none of a group that Arch lacks."""
    if info.gname not in ("shadow", "_ssh"):
        return info.mode
    return (info.mode & ~0o2000) | (0o4000 if info.gname == "shadow" else 0)


def moved(path: str) -> str:
    """Return where Arch has Debian's PATH."""
    kernel = re.fullmatch(r"boot/vmlinuz-(.+)", path)
    if kernel is not None:
        return f"usr/lib/modules/{kernel[1]}/vmlinuz"
    for before, after in packages.MOVED.items():
        if path.startswith(f"{before}/"):
            return after + path[len(before) :]
    return path


def own(key: bytes, fingerprint: str) -> list[Package]:
    """Return the packages that Debian has nothing for."""
    keyring = "usr/share/pacman/keyrings"
    members = (
        *(archive.directory(path) for path in ("usr", "usr/share", "usr/share/pacman", keyring)),
        replace(archive.text(f"{keyring}/archlinux.gpg", ""), content=key),
        archive.text(f"{keyring}/archlinux-trusted", f"{fingerprint}:4:\n"),
        archive.text(f"{keyring}/archlinux-revoked", ""),
    )
    return [
        Package(
            name="base", version="3-2", description="Minimal package set", architecture="any", depends=packages.BASE
        ),
        Package(
            name="base-devel",
            version="1-2",
            description="Basic tools to build packages",
            architecture="any",
            depends=packages.BASE_DEVEL,
        ),
        Package(
            name="pambase",
            version="20250719-1",
            description="Base PAM configuration",
            architecture="any",
            backup=tuple(member.path for member in services.PAMBASE if member.content),
            members=services.PAMBASE,
        ),
        *services.STAND_INS,
        Package(
            name="filesystem",
            version="2025.10.12-1",
            description="Base files",
            architecture="any",
            backup=files.EDITED,
            members=files.FILESYSTEM,
        ),
        Package(
            name="archlinux-keyring",
            version="20251012-1",
            description="The key of this repository",
            architecture="any",
            depends=files.DEPENDS["archlinux-keyring"],
            scriptlet=files.SCRIPTLETS["archlinux-keyring"],
            members=members,
        ),
    ]


def make_key() -> tuple[bytes, str]:
    """Make a key that signs, and return the public one and its fingerprint."""
    subprocess.run(
        (
            "gpg",
            "--batch",
            "--passphrase",
            "",
            "--quick-generate-key",
            "Rig <rig@example.org>",
            "ed25519",
            "sign",
            "never",
        ),
        check=True,
        capture_output=True,
    )
    told = subprocess.run(("gpg", "--with-colons", "--list-keys"), check=True, capture_output=True, text=True).stdout
    key = subprocess.run(("gpg", "--export"), check=True, capture_output=True).stdout
    return key, re.findall(r"^fpr:+(\w+):", told, re.MULTILINE)[0]


def publish(made: list[Package], repository: Path) -> None:
    """Write MADE, signed, where a mirror of Arch has them: $repo/os/$arch."""
    for name in ("core", "extra"):
        place = repository / name / "os/x86_64"
        place.mkdir(parents=True)
        chosen = [package for package in made if (package.name in packages.EXTRA) == (name == "extra")]
        paths = sorted(archive.write(package, place) for package in chosen)
        for path in paths:
            subprocess.run(("gpg", "--batch", "--detach-sign", "--no-armor", path), check=True)
        subprocess.run(("repo-add", "--quiet", place / f"{name}.db.tar.gz", *paths), check=True)


def main() -> None:
    """Make the repository in the directory that the command line names."""
    repository = Path(sys.argv[1])
    try:
        with tempfile.TemporaryDirectory() as scratch:
            debs = fetch(Path(scratch) / "debs")
            os.environ["GNUPGHOME"] = f"{scratch}/gnupg"
            (Path(scratch) / "gnupg").mkdir(mode=0o700)
            publish([*own(*make_key()), *convert(debs)], repository)
    finally:
        owner = repository.stat()
        for path in repository.rglob("*"):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


if __name__ == "__main__":
    main()
