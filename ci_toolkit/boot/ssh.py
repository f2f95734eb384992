"""Checks over SSH: for images whose systemd takes no units from outside, or to try the server itself."""

import shlex
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_toolkit import process
from ci_toolkit.boot.guest import Script
from ci_toolkit.boot.outcome import Check
from ci_toolkit.errors import HostError
from ci_toolkit.process import Command

LOOPBACK: Final = "127.0.0.1"
# What ssh itself ends with when it gets no connection.
_FAILED: Final = 255
_CONNECT_SECONDS: Final = 20
_AGAIN_SECONDS: Final = 3.0
_OUTPUT_MAX: Final = 256 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who logs in, at which address of this machine, with which private key; `public` is the public one."""

    user: str
    address: tuple[str, int]
    key: Path
    public: str


def free_port() -> int:
    """Return a port of loopback that nobody has."""
    with socket.create_server((LOOPBACK, 0)) as server:
        port: int = server.getsockname()[1]
        return port


def login(user: str, key: Path | None, work: Path) -> Login:
    """Return the login of USER with KEY, or with one that is made in WORK. Raises HostError without ssh-keygen."""
    private = key or work / "key"
    if key is None:
        _demand(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ci-toolkit", "-f", str(private)))
    public = _demand(("ssh-keygen", "-y", "-f", str(private)))
    return Login(user=user, address=(LOOPBACK, free_port()), key=private, public=public.strip())


def _demand(argv: tuple[str, ...]) -> str:
    completed = process.run(Command(argv=argv), timeout_seconds=_CONNECT_SECONDS)
    if not completed.ok:
        said = completed.stderr.strip().splitlines() or ["it said nothing"]
        raise HostError(
            f"{argv[0]} failed: {said[-1]}", hint="Install openssh-client, or name a key without a password."
        )
    return completed.stdout


def run(script: Script, who: Login, work: Path, *, deadline: float) -> Check:
    """Run SCRIPT as WHO until DEADLINE, of the monotonic clock; a server that is not ready yet is asked again."""
    remote = (
        f't=$(mktemp) && cat > "$t" && {shlex.join(script.interpreter)} "$t" < /dev/null; c=$?; rm -f "$t"; exit $c'
    )
    argv = (
        *("ssh", "-F", "none", "-i", str(who.key), "-p", str(who.address[1]), "-o", "BatchMode=yes"),
        *("-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={work / 'hosts'}"),
        *("-o", "LogLevel=ERROR", "-o", f"ConnectTimeout={_CONNECT_SECONDS}", f"{who.user}@{who.address[0]}"),
        f"exec 2>&1; {remote}",
    )
    text = script.content.decode("utf-8", "surrogateescape")
    while True:
        left = deadline - time.monotonic()
        completed = process.run(Command(argv=argv), stdin=text, timeout_seconds=max(1.0, left))
        if completed.late:
            return Check(name=script.name, exit_code=None, reason="it was still running at the time limit")
        if completed.exit_code != _FAILED or deadline - time.monotonic() < _AGAIN_SECONDS:
            break
        time.sleep(_AGAIN_SECONDS)
    output = (completed.stdout + completed.stderr)[-_OUTPUT_MAX:]
    if completed.exit_code == _FAILED:
        return Check(name=script.name, exit_code=None, output=output, reason="SSH gave no connection")
    return Check(name=script.name, exit_code=completed.exit_code, output=output)


def run_all(
    scripts: tuple[Script, ...], who: Login, work: Path, *, deadline: float, tell: Callable[[Check], None]
) -> tuple[Check, ...]:
    """Run SCRIPTS one after the other; TELL is called after each."""
    checks = []
    for script in scripts:
        checks.append(run(script, who, work, deadline=deadline))
        tell(checks[-1])
    return tuple(checks)
