"""The submodules of a commit that was checked out, each at the commit that is recorded in it.

`.gitmodules` is somebody else's file: of it only paths and addresses are read, addresses are held to what a record's
own are held to, and git's own command for submodules, which takes more from it, is not called.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from ci_toolkit.console import printable
from ci_toolkit.errors import UnreadableError
from ci_toolkit.records import addresses, checkout
from ci_toolkit.records.checkout import Git

# In all, and one in another.
_LIMIT: Final = 50
_LIMIT_DEPTH: Final = 5
_HINT: Final = "Name a clone of yours, with its submodules, with --source."


@dataclass(frozen=True, slots=True, kw_only=True)
class Submodule:
    """One submodule: its `path` in the repository, the `commit` that is recorded, and its `url` as it is written."""

    path: str
    commit: str
    url: str | None


def check_out(target: Path, origin: str, environ: Mapping[str, str]) -> int:
    """Put the submodules of what is checked out in TARGET in their places, theirs as well; return how many there are.

    ORIGIN is where TARGET was fetched from: an address, or the path of a clone, whose own submodules are taken where
    they are checked out. Raises UnreadableError where one cannot be had, or may not be.
    """
    return _within(target, origin, environ, room=_LIMIT, depth=1)


def _within(target: Path, origin: str, environ: Mapping[str, str], *, room: int, depth: int) -> int:
    found = tuple(of(target, environ))
    if len(found) > room or (found and depth > _LIMIT_DEPTH):
        raise UnreadableError(f"there are more than {_LIMIT} submodules, or too deep ones", hint=_HINT)
    below = 0
    for one in found:
        place, where = _place(target, one.path), _where(one, origin)
        kinds = checkout.kinds(where)
        Git(directory=place, environ=environ, kinds=kinds).get(where, one.commit)
        below += _within(place, where, environ, room=room - len(found) - below, depth=depth + 1)
    return len(found) + below


def of(repository: Path, environ: Mapping[str, str]) -> Iterator[Submodule]:
    """Yield the submodules of the commit that is checked out in REPOSITORY, by path. Raises UnreadableError."""
    git = Git(directory=repository, environ=environ, kinds="")
    listed = git.demand("ls-files", "--stage", "-z")
    links = [line.partition("\t") for line in listed.split("\0") if line.startswith("160000 ")]
    if not links:
        return
    told = git.run("config", "--blob=HEAD:.gitmodules", "-z", "--list")
    urls = _urls(told.stdout if told.ok else "")
    for facts, _, path in sorted(links, key=lambda link: link[2]):
        yield Submodule(path=path, commit=facts.split(" ")[1], url=urls.get(path))


def _urls(listed: str) -> dict[str, str]:
    """Return the address of each path, as LISTED by `git config --list -z`; of one that is named twice the last."""
    sections: dict[str, dict[str, str]] = {}
    for line in filter(None, listed.split("\0")):
        key, _, value = line.partition("\n")
        section, _, name = key.rpartition(".")
        if section.startswith("submodule."):
            sections.setdefault(section, {})[name] = value
    return {one["path"]: one["url"] for one in sections.values() if {"path", "url"} <= one.keys()}


def _place(target: Path, path: str) -> Path:
    """Return the directory for the submodule at PATH in TARGET, where git has left an empty one."""
    parts = PurePosixPath(path).parts
    place = target / path
    odd = path.startswith("/") or ".." in parts or any(part.lower() == ".git" for part in parts)
    if odd or place.resolve() != target.resolve() / path or not place.is_dir() or any(place.iterdir()):
        raise UnreadableError(f"the submodule {printable(path)} has no place of its own", hint=_HINT)
    return place


def _where(one: Submodule, origin: str) -> str:
    """Return where the submodule ONE of the repository at ORIGIN is fetched from: a path of the caller's, or https."""
    name = f"the submodule {printable(one.path)}"
    here = not addresses.is_address(origin)
    if here and (Path(origin) / one.path / ".git").exists():
        return os.path.abspath(Path(origin) / one.path)  # noqa: PTH100 (a symbolic link may stay one)
    if one.url is None:
        raise UnreadableError(f"{name} has no address in .gitmodules", hint=_HINT)
    written = one.url
    if written.startswith(("./", "../")) and not here:
        written = _relative(origin, written)
    # Others may hold the name of a program (ext::), or be taken for an option.
    address = None if "::" in written or written.startswith("-") else addresses.cloned(written)
    refused = "it is no address that anybody can clone" if address is None else addresses.may_fetch(address)
    if address is not None and refused is None and addresses.is_loopback(address) and not _is_loopback(origin):
        refused = "it is on this machine itself"
    if address is None or refused is not None:
        raise UnreadableError(f"{name} is not cloned from {printable(one.url)}: {refused}", hint=_HINT)
    return address


def _relative(origin: str, written: str) -> str:
    """Return the address that WRITTEN, which begins with dots, is beside ORIGIN, which ends in no slash for git."""
    parts = urlsplit(origin)
    path = parts.path.rstrip("/").split("/")
    for step in written.split("/"):
        if step == "..":
            path = path[:-1]
        elif step not in ("", "."):
            path.append(step)
    return urlunsplit((parts.scheme, parts.netloc, "/" + "/".join(filter(None, path)), "", ""))


def _is_loopback(origin: str) -> bool:
    return addresses.is_address(origin) and addresses.is_loopback(origin)
