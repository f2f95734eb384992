"""Get the definition of a record: the commit that it names, from the repository that it names, or from another one.

The record is somebody else's, and so is the repository: git asks nobody for a password, runs nothing that a
repository's files name, and speaks with https alone (and what else the caller gave). For submodules see submodules.py.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ci_toolkit import process
from ci_toolkit.console import printable
from ci_toolkit.errors import UnreadableError, UsageError
from ci_toolkit.process import MINIMAL, Command, Completed
from ci_toolkit.records import addresses
from ci_toolkit.records.record import Record

_SECONDS: Final = 1800.0
# How git reaches a server from here.
_WAY: Final = frozenset(
    ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
    + ("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH")
)
_SETTINGS: Final = {
    "safe.directory": "*",
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.autocrlf": "false",
    "credential.helper": "",
    "init.defaultBranch": "main",
    "advice.detachedHead": "false",
    "gc.auto": "0",
}


def check_out(
    record: Record, source: str | None, target: Path, environ: Mapping[str, str], *, loopback: bool = False
) -> Path:
    """Put the files of RECORD's commit into TARGET, which is empty, and return the directory that holds mkosi.conf.

    SOURCE is a repository of the caller's choice, a path or an address, in place of the record's; where the record
    names no commit, it is the definition itself. LOOPBACK tells that this machine itself may be asked by http.

    Raises UnreadableError where the commit cannot be had, UsageError where it takes a SOURCE.
    """
    origin = record.origin
    if origin.commit is None:
        if source is None or addresses.is_address(source):
            raise UsageError("the record names no commit", hint="Name the directory of its files with --source.")
        return Path(source) / origin.directory
    where = place(record, source, loopback=loopback)
    git = Git(directory=target, environ=environ, kinds=kinds(where))
    git.get(where, origin.commit)
    if origin.repository is not None and source is not None:
        git.demand("remote", "set-url", "origin", "--", origin.repository)
    return target / origin.directory


def kinds(where: str) -> str:
    """Return the kinds of addresses that git may use to fetch from WHERE, a path of the caller's or an address."""
    if not addresses.is_address(where):
        return "file"
    return "https:http" if addresses.is_loopback(where) else "https"


def place(record: Record, source: str | None, *, loopback: bool) -> str:
    """Return where git fetches the commit of RECORD from, an address or a path. Raises as `check_out` does."""
    if source is not None and not addresses.is_address(source):
        return os.path.abspath(source)  # noqa: PTH100 (a symbolic link may stay one)
    address = source or record.origin.repository
    if address is None:
        raise UsageError("the record names no repository", hint="Name one with --source.")
    refused = addresses.may_fetch(address)
    if refused is None and addresses.is_loopback(address) and not (loopback or source):
        refused = "it is on this machine itself"
    if refused is not None:
        raise UnreadableError(
            f"nothing is cloned from {printable(address)}: {refused}", hint="Name a clone of yours with --source."
        )
    return address


class Git:
    """git in DIRECTORY."""

    def __init__(self, *, directory: Path, environ: Mapping[str, str], kinds: str) -> None:
        self._directory = directory
        settings = list(_SETTINGS.items())
        self._environment = {
            **MINIMAL,
            **{name: value for name, value in environ.items() if name in _WAY},
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "GIT_ALLOW_PROTOCOL": kinds,
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_CONFIG_COUNT": str(len(settings)),
            **{f"GIT_CONFIG_KEY_{number}": name for number, (name, _) in enumerate(settings)},
            **{f"GIT_CONFIG_VALUE_{number}": value for number, (_, value) in enumerate(settings)},
        }

    def run(self, *arguments: str) -> Completed:
        argv = ("git", "-C", os.fspath(self._directory), *arguments)
        return process.run(Command(argv=argv, environment=self._environment), timeout_seconds=_SECONDS)

    def get(self, where: str, commit: str) -> None:
        """Make a repository of the directory, which is empty, and check COMMIT of the one at WHERE out in it."""
        self.demand("init", "--quiet")
        self.demand("remote", "add", "origin", "--", where)
        # A server that tells every commit is asked for one, without what was before; others, and a directory of files
        # that any web server hands out, for all there is.
        fetched = self.run("fetch", "--quiet", "--no-tags", "--depth=1", "origin", commit)
        if not fetched.ok:
            self.demand("fetch", "--quiet", "--force", "origin", "+refs/*:refs/remotes/origin/*")
        self.demand("checkout", "--quiet", "--detach", f"{commit}^{{commit}}")

    def demand(self, *arguments: str) -> str:
        """Return what git says. Raises UnreadableError where it refuses."""
        done = self.run(*arguments)
        if not done.ok:
            said = printable(" ".join(done.stderr.split())[-500:])
            raise UnreadableError(
                f"git {arguments[0]} failed: {said}", hint="Is the commit published? Name a clone with --source."
            )
        return done.stdout
