"""A container image from start to end: loaded, its command run, the checks run in it, and all taken away."""

import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from ci_toolkit.boot import ports
from ci_toolkit.boot.guest import Script
from ci_toolkit.boot.oci import ContainerImage
from ci_toolkit.boot.outcome import Boot, Check
from ci_toolkit.console import Console, printable
from ci_toolkit.errors import HostError
from ci_toolkit.runners import loaded
from ci_toolkit.runners.loaded import Loaded, Started

# What stands in the place of a firmware.
KIND: Final = "container"
LOG: Final = f"{KIND}.log"

# A command that goes on for so long is a service, which is up, unless the image has a check of its own for that.
_SETTLED_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.2
_LOG_MAX: Final = 8 << 20
_LAST_BYTES: Final = 4096
_TABLES: Final = ("tcp", "tcp6", "udp", "udp6")
_NO_COMMAND: Final = "the image names no command to run; name one: --command"


def start(
    image: ContainerImage,
    scripts: tuple[Script, ...],
    command: tuple[str, ...],
    *,
    minutes: float | None,
    output: Path,
    environ: Mapping[str, str],
    console: Console,
) -> Boot:
    """Run IMAGE's own command, or COMMAND, and then SCRIPTS, within MINUTES; its log goes to the directory OUTPUT.

    Raises HostError where no engine answers, or where it refuses the image.
    """
    name = f"ci-toolkit-boot:{uuid.uuid4().hex[:12]}"
    with (
        console.step("Start as a container"),
        tempfile.TemporaryDirectory(prefix="ci-toolkit-", ignore_cleanup_errors=True) as scratch,
        loaded.loaded(environ, console, Path(scratch), image.archive(name), name) as found,
    ):
        console.say(found.description)
        if not (command or image.names_a_command):
            return _boot(found, reason=_NO_COMMAND, checks=_not_run(scripts, "the image was not up"))
        deadline = float("inf") if minutes is None else time.monotonic() + 60 * minutes
        return _Run(found=found, scripts=scripts, deadline=deadline, output=output, say=console.say).go(command)


def _boot(
    found: Loaded,
    *,
    reason: str = "",
    sign: str = "",
    seconds: float = 0.0,
    listening: tuple[str, ...] | None = None,
    checks: tuple[Check, ...] = (),
    files: tuple[str, ...] = (),
) -> Boot:
    return Boot(
        firmware=KIND,
        accelerator=found.engine.name.lower(),
        reason=reason,
        sign=sign,
        seconds=round(seconds, 1),
        ports=listening,
        checks=checks,
        files=files,
    )


def _not_run(scripts: tuple[Script, ...], reason: str) -> tuple[Check, ...]:
    return tuple(Check(name=script.name, exit_code=None, reason=reason) for script in scripts)


class _Run:
    """One start while it goes on."""

    def __init__(
        self, *, found: Loaded, scripts: tuple[Script, ...], deadline: float, output: Path, say: Callable[[str], None]
    ) -> None:
        self.found, self.scripts, self.deadline, self.output, self.say = found, scripts, deadline, output, say

    def go(self, command: tuple[str, ...]) -> Boot:
        began = time.monotonic()
        try:
            started = self.found.start(command)
        except HostError as error:  # the program is not there, or is none
            return _boot(self.found, reason=error.message, checks=_not_run(self.scripts, "the image was not up"))
        sign, reason = self._settle(started, began)
        seconds = time.monotonic() - began
        self.say(f"  {reason or f'It is up after {seconds:.1f} s, by {sign}'}")
        runs = started.exit_code() is None
        listening = self._ports(started) if runs and sign else None
        checks = self._checks(started if runs else self.found) if sign else _not_run(self.scripts, reason)
        log = self.output / LOG
        log.write_bytes(started.output(_LOG_MAX))
        return _boot(
            self.found,
            reason=reason,
            sign=sign,
            seconds=seconds if sign else 0.0,
            listening=listening,
            checks=checks,
            files=(LOG,),
        )

    def _settle(self, started: Started, began: float) -> tuple[str, str]:
        """Return by what one sees that it is up, or why it is not."""
        while True:
            health = started.health()
            code = started.exit_code()
            if code is not None:
                return _ended(code, started)
            if health == "healthy":
                return "its health check", ""
            if health == "unhealthy":
                return "", "its health check says unhealthy"
            now = time.monotonic()
            if not health and now - began > _SETTLED_SECONDS:
                return f"its command, which runs for {_SETTLED_SECONDS:.0f} s", ""
            if now > self.deadline:
                return "", "its health check had not said healthy at the time limit"
            time.sleep(_LOOK_SECONDS)

    def _ports(self, started: Started) -> tuple[str, ...] | None:
        tables = [(name, started.read(f"/proc/net/{name}")) for name in _TABLES]
        if not any(text for _, text in tables):
            return None
        return tuple(sorted({port for name, text in tables for port in ports.listening(name, text)}))

    def _checks(self, where: Started | Loaded) -> tuple[Check, ...]:
        """Run all scripts beside the command, or each in a container of its own where that has ended."""
        done: list[Check] = []
        for number, script in enumerate(self.scripts):
            done.append(self._check(where, script, f"/.ci-toolkit.check.{number}"))
            told = "passed" if done[-1].passed else done[-1].reason or f"exit code {done[-1].exit_code}"
            self.say(f"  Check {script.name}: {told}")
        return tuple(done)

    def _check(self, where: Started | Loaded, script: Script, path: str) -> Check:
        if time.monotonic() > self.deadline:
            return Check(name=script.name, exit_code=None, reason="the time limit was over")
        try:
            code, output = where.check(script.interpreter, script.content, path, deadline=self.deadline)
        except TimeoutError:
            return Check(name=script.name, exit_code=None, reason="it was still running at the time limit")
        except HostError as error:
            return Check(name=script.name, exit_code=None, reason=error.message)
        return Check(name=script.name, exit_code=code, output=output)


def _ended(code: int, started: Started) -> tuple[str, str]:
    if code == 0:
        return "its command, which ended with exit code 0", ""
    said = started.output(_LAST_BYTES).decode("utf-8", "backslashreplace").strip().splitlines()
    return "", f"its command ended with exit code {code}: {printable(said[-1]) if said else 'it said nothing'}"
