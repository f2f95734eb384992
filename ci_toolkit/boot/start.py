"""One image from start to end: each firmware in turn, what the guest told put together, files kept."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ci_toolkit.boot import control, guest, lines, machine, netboot, ports, records, seed, ssh, watch
from ci_toolkit.boot.ground import Ground, Places
from ci_toolkit.boot.guest import Script
from ci_toolkit.boot.image import NETBOOT, Image
from ci_toolkit.boot.machine import Hardware, Parts
from ci_toolkit.boot.outcome import Boot, Check
from ci_toolkit.boot.records import Record
from ci_toolkit.boot.screen import Log, Screen
from ci_toolkit.boot.ssh import Login
from ci_toolkit.console import Console, printable
from ci_toolkit.host import virtual

# How long a guest that is up may take to tell what became of its start; emulated ones are slow.
_GRACE_SECONDS: Final = {"kvm": 30.0, "tcg": 180.0}
_MEMORY: Final = 2 << 30
_CPUS: Final = 2
# What a guest may not take of the disk that its writes go to.
_SPARED: Final = 1 << 30
_NO_WORD: Final = (
    "The image ran nothing of what it was handed through SMBIOS, which takes systemd 256: its units and ports are not "
    "known."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is asked for: firmware kinds, checks, user data for cloud-init, whom SSH logs in, minutes for each start.

    `output` is the directory for logs and screenshots. `key` is the private key for `user`, None for one of our own.
    """

    firmware: tuple[str, ...]
    output: Path
    minutes: float | None
    scripts: tuple[Script, ...] = ()
    user_data: bytes | None = None
    user: str | None = None
    key: Path | None = None


def start(image: Image, wishes: Wishes, ground: Ground, console: Console) -> tuple[Boot, ...]:
    """Start IMAGE with each firmware that WISHES name; what a firmware cannot start is not tried."""
    boots = []
    for firmware in wishes.firmware:
        with console.step(f"Start with {firmware.upper()}"):
            boot = _start(image, firmware, wishes, ground, console)
            told = "passed" if boot.passed else boot.reason or "a check failed"
            console.say(f"  {firmware.upper()}: {told}")
            boots.append(boot)
    return tuple(boots)


def _start(image: Image, firmware: str, wishes: Wishes, ground: Ground, console: Console) -> Boot:
    lacks = image.lacks.get(firmware)
    accelerator = ground.accelerator
    if lacks is not None:
        reason = f"the image has nothing that a {firmware.upper()} starts: {lacks}"
        return Boot(firmware=firmware, accelerator=accelerator.name, reason=reason, checks=_not_run(wishes.scripts))
    with tempfile.TemporaryDirectory(prefix="ci-toolkit-", dir="/tmp", ignore_cleanup_errors=True) as name:
        work = Path(name)
        login = None if wishes.user is None else ssh.login(wishes.user, wishes.key, work)
        parts = _parts(image, firmware, wishes, ground, login, work)
        hardware = Hardware(
            accelerator=accelerator.name,
            processor=accelerator.processor,
            cpus=min(_CPUS, len(os.sched_getaffinity(0))),
            memory=min(max(_MEMORY, netboot.memory(image.path)), virtual.memory()),
        )
        run = _Run(
            firmware=firmware, wishes=wishes, console=console, work=work, login=login, accelerator=accelerator.name
        )
        with run.kept("serial.log") as log, lines.listening(work) as listeners:
            argv = (*_limited(wishes.output), *machine.argv(hardware, parts, work))
            places = Places(work=work, room=wishes.output)
            address = None if login is None else login.address
            with (
                ground.start(argv, places, disk=image.path.absolute(), ssh=address) as running,
                lines.connected(listeners, running) as sockets,
            ):
                return run.follow(log, sockets, running)


def _limited(room: Path) -> tuple[str, ...]:
    """Return what keeps a guest from filling the disk of this machine (util-linux): its own disk then has errors."""
    free = shutil.disk_usage(room).free
    return ("prlimit", f"--fsize={max(free - _SPARED, _SPARED)}")


def _parts(image: Image, firmware: str, wishes: Wishes, ground: Ground, login: Login | None, work: Path) -> Parts:
    more = () if login is None else (("ssh.authorized_keys.root", login.public.encode()),)
    in_guest = wishes.scripts if login is None else ()
    paths = []
    for number, text in enumerate(guest.strings(in_guest, emulated=ground.accelerator.name == "tcg", more=more)):
        paths.append(work / f"string.{number}")
        paths[-1].write_text(text, encoding="utf-8")
    directory = None
    if wishes.user_data is not None:
        directory = work / "seed"
        seed.write(directory, wishes.user_data)
    fetched = image.format == NETBOOT
    emulated = ground.accelerator.name == "tcg"
    return Parts(
        disk=None if fetched else image.path.absolute(),
        net=netboot.net(image.path, work, python=ground.python, emulated=emulated) if fetched else None,
        format=image.format,
        uefi=ground.uefi(firmware),
        strings=paths,
        seed=directory,
        ssh=None if login is None else ground.ssh_inside(login.address),
    )


def _not_run(scripts: Sequence[Script], reason: str = "the image was not up") -> tuple[Check, ...]:
    return tuple(Check(name=script.name, exit_code=None, reason=reason) for script in scripts)


@dataclass(kw_only=True)
class _Run:
    """One start while it goes on: the checks that ended, and the files that are kept."""

    firmware: str
    wishes: Wishes
    console: Console
    work: Path
    login: Login | None
    accelerator: str
    checks: list[Check] = field(default_factory=list)
    output: str = ""
    files: list[str] = field(default_factory=list)

    @contextmanager
    def kept(self, name: str) -> Iterator[Log]:
        """Open a file of the output directory that people may want."""
        path = self.wishes.output / f"{self.firmware}.{name}"
        self.files.append(path.name)
        with path.open("wb", buffering=0) as file:  # people may follow it
            yield file

    def follow(self, log: Log, sockets: lines.Sockets, running: lines.Running) -> Boot:
        began = time.monotonic()
        seen = watch.Guest(
            screen=Screen(log=log), heard=self.hear, ssh=None if self.login is None else self.login.address
        )
        limit = None if self.wishes.minutes is None else 60 * self.wishes.minutes
        grace = _GRACE_SECONDS[self.accelerator]
        reason = watch.follow(
            seen, sockets, running, seconds=limit, grace=grace, tell=lambda text: self.console.say(f"  {text}")
        )
        if self.login is not None and seen.ready and not reason:
            deadline = began + limit if limit is not None else float("inf")
            with watch.listening(seen, sockets):
                self.checks += ssh.run_all(
                    self.wishes.scripts, self.login, self.work, deadline=deadline, tell=self.tell
                )
        self.picture(sockets)
        return self.boot(seen, reason)

    def hear(self, record: Record) -> None:
        """Put a check together when its end is told, and keep the journal."""
        scripts = self.wishes.scripts
        if record.kind == records.OUTPUT:
            self.output = record.text
        elif record.kind == records.ENDED and self.login is None and record.name == str(len(self.checks)):
            if len(self.checks) < len(scripts):
                code = record.text.strip()
                known = code.isdecimal() and len(code) <= 3
                self.checks.append(
                    Check(
                        name=scripts[len(self.checks)].name,
                        exit_code=int(code) if known else None,
                        output=self.output,
                        reason="" if known else "the guest told no exit code",
                    )
                )
                self.tell(self.checks[-1])
        elif record.kind == records.JOURNAL and f"{self.firmware}.journal.log" not in self.files:
            with self.kept("journal.log") as file:
                file.write(record.text.encode("utf-8", "backslashreplace"))

    def tell(self, check: Check) -> None:
        self.console.say(f"  Check {check.name}: {'passed' if check.passed else describe(check)}")

    def picture(self, sockets: lines.Sockets) -> None:
        """Keep what the screen shows."""
        shot = self.work / "screen.png"
        if control.screenshot(sockets[machine.CONTROL], shot):
            with self.kept("screen.png") as file:
                file.write(shot.read_bytes())

    def boot(self, seen: watch.Guest, reason: str) -> Boot:
        """Put together what is known in the end."""
        told = {(record.kind, record.name): record.text for record in seen.told}
        failed = told.get((records.FAILED, "-"))
        tables = [(name, text) for (kind, name), text in told.items() if kind == records.NET]
        checks = (*self.checks, *_not_run(self.wishes.scripts[len(self.checks) :], reason or "the guest ran no checks"))
        up = bool(seen.ready)
        notes = [_NO_WORD] if up and not seen.told else []
        if seen.late and (records.STATE, "-") in told:
            notes, reason = [*notes, f"It was given up: {reason}"], ""
        return Boot(
            firmware=self.firmware,
            accelerator=self.accelerator,
            reason=reason,
            sign=seen.ready,
            seconds=round(seen.seconds, 1) if up else 0.0,
            state=_line(told.get((records.STATE, "-"))),
            startup=_line(told.get((records.TIME, "-"))),
            failed_units=None if failed is None else _units(failed),
            ports=_ports(tables) if tables else None,
            checks=checks,
            files=tuple(self.files),
            notes=tuple(notes),
        )


def describe(check: Check) -> str:
    """Return how a check that did not pass ended."""
    return check.reason or f"exit code {check.exit_code}"


def _line(text: str | None) -> str | None:
    """Return the first line of TEXT, None where it has none."""
    found = (text or "").strip().splitlines()
    return printable(found[0].strip()[:300]) if found else None


# More than any image has; the guest may say anything.
_MOST: Final = 1000


def _units(text: str) -> tuple[str, ...]:
    rows = (line.split() for line in text.splitlines()[:_MOST])
    return tuple(sorted({printable(row[0][:256]) for row in rows if row}))


def _ports(tables: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(sorted({port for name, text in tables for port in ports.listening(name, text)}))
