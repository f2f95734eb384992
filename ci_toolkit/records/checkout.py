"""Get the definition of a record: the commit that it names, from the repository that it names, or from another one.

The record is somebody else's, and so is the repository: git asks nobody for a password, runs nothing that a
repository's files name, and speaks with https alone (and what else the caller gave). Submodules are left alone.
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
    where, kinds = _where(record, source, loopback=loopback)
    git = _Git(directory=target, environ=environ, kinds=kinds)
    git.demand("init", "--quiet")
    git.demand("remote", "add", "origin", "--", where)
    # A server that tells every commit is asked for one, without what was before; others, and a directory of files that
    # any web server hands out, for all there is.
    fetched = git.run("fetch", "--quiet", "--no-tags", "--depth=1", "origin", origin.commit)
    if not fetched.ok:
        git.demand("fetch", "--quiet", "--force", "origin", "+refs/*:refs/remotes/origin/*")
    git.demand("checkout", "--quiet", "--detach", f"{origin.commit}^{{commit}}")
    if origin.repository is not None and source is not None:
        git.demand("remote", "set-url", "origin", "--", origin.repository)
    return target / origin.directory


def _where(record: Record, source: str | None, *, loopback: bool) -> tuple[str, str]:
    """Return what git fetches from, and the kinds of addresses that it may use for that."""
    if source is not None and not addresses.is_address(source):
        return os.path.abspath(source), "file"  # noqa: PTH100 (a symbolic link may stay one)
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
    return address, "https:http" if addresses.is_loopback(address) else "https"


class _Git:
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

    def demand(self, *arguments: str) -> None:
        done = self.run(*arguments)
        if not done.ok:
            said = printable(" ".join(done.stderr.split())[-500:])
            raise UnreadableError(
                f"git {arguments[0]} failed: {said}", hint="Is the commit published? Name a clone with --source."
            )
