"""`ci-toolkit boot`: start an image in a virtual machine, or as a container, and run checks in it."""

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ci_toolkit.cli import deliver
from ci_toolkit.cli.options import console_of, environ_of
from ci_toolkit.console import Console
from ci_toolkit.errors import UsageError

if TYPE_CHECKING:
    from ci_toolkit.boot.image import Image
    from ci_toolkit.boot.oci import ContainerImage
    from ci_toolkit.boot.outcome import Outcome
    from ci_toolkit.boot.start import Wishes

REPORT: Final = "boot.json"
JUNIT: Final = "boot.junit.xml"

_FIRMWARE: Final = {"bios": ("bios",), "uefi": ("uefi",), "both": ("bios", "uefi"), "secure-boot": ("secure-boot",)}
_FILE: Final = click.Path(path_type=Path, readable=False)


@click.command(name="boot")
@click.argument("image", type=_FILE)
@click.option(
    "--firmware", type=click.Choice(("auto", *_FIRMWARE)), default="auto",
    help="What starts it; auto: each that finds something to start on the disk. [auto]",
)  # fmt: skip
@click.option(
    "--check", "checks", multiple=True, type=_FILE, metavar="SCRIPT", help="Run SCRIPT in it, as root; again."
)
@click.option("--user-data", type=_FILE, metavar="FILE", help="Hand FILE to cloud-init, as a disk of its NoCloud.")
@click.option("--ssh", "user", metavar="USER", help="Run the checks over SSH, logged in as USER.")
@click.option(
    "--ssh-key", type=_FILE, metavar="FILE", help="The private key for USER; else root gets one made for this."
)
@click.option(
    "--command", "words", metavar="COMMAND", help="Of a container image: run COMMAND in the place of its own."
)
@click.option("--output", type=_FILE, default=Path("boot"), metavar="DIR", help="Where logs and reports go. [boot]")
@click.option("--baseline", type=_FILE, metavar="FILE", help="A boot.json from before; tell what changed since.")
@click.option(
    "--time-limit", default="auto", metavar="MINUTES",
    help="For each start with its checks; auto: 5, and 20 where the processor is emulated; none. [auto]",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout instead of the table.")
@click.pass_obj
def command(
    obj: dict[str, object],
    /,
    image: Path,
    firmware: str,
    checks: tuple[Path, ...],
    user_data: Path | None,
    user: str | None,
    ssh_key: Path | None,
    words: str | None,
    output: Path,
    baseline: Path | None,
    time_limit: str,
    as_json: bool,
) -> int:
    """Start IMAGE, and tell how that went and how each SCRIPT ended.

    IMAGE is a disk (raw, qcow2, VMDK, VDI, VHD, VHDX), a Vagrant box or a netboot directory, which QEMU starts, or a
    container image (OCI layout, docker-archive), which Docker or Podman does.

    IMAGE is never changed. It runs with KVM where a guest was seen to boot with it, else emulated; in the toolkit's
    container where this machine has no QEMU. Exit code 1 where it did not come up or a check failed, 3 where nothing
    runs it, 6 where IMAGE cannot be read.
    """
    from ci_toolkit.boot import guest, seed, stored, subject
    from ci_toolkit.boot.changes import changes
    from ci_toolkit.boot.image import Image
    from ci_toolkit.boot.start import Wishes

    environ, console = environ_of(obj), console_of(obj)
    limits = minutes(time_limit)
    scripts = guest.read_scripts(checks)
    data = None if user_data is None else seed.read(user_data)
    before = None if baseline is None else stored.load(baseline)
    _check_login(user, ssh_key)
    command = _words(words)
    deliver.check_directory(output)
    wishes = Wishes(
        firmware=(), output=output.absolute(), minutes=None, scripts=scripts, user_data=data, user=user, key=ssh_key
    )
    with subject.opened(image, output.absolute(), console) as found:
        if isinstance(found, Image):
            if command:
                raise UsageError("--command is for container images", hint="Run it with --check.")
            wishes = replace(wishes, firmware=_kinds(found, firmware))
            outcome = start(found, wishes, limits, environ, console)
        else:
            outcome = run(found, wishes, command, limits[False], environ, console)
    write(outcome, output)
    if as_json:
        console.result(stored.render(outcome))
    else:
        from ci_toolkit.boot import table

        width, colour = deliver.screen(environ, console)
        told = None if before is None else changes(before, outcome)
        console.result(table.render(outcome, told, width=width, colour=colour))
    return outcome.exit_code


def _check_login(user: str | None, ssh_key: Path | None) -> None:
    if ssh_key is not None and user is None:
        raise UsageError("--ssh-key is for --ssh", hint="Name the user: --ssh USER.")
    if ssh_key is None and user not in (None, "root"):
        raise UsageError("only root can be given a key made for this", hint=f"Name the key of {user}: --ssh-key FILE.")
    if ssh_key is not None and not ssh_key.is_file():
        raise UsageError(f"{ssh_key} is no file", hint="Name the private key.")


def _kinds(image: "Image", firmware: str) -> tuple[str, ...]:
    if firmware != "auto":
        return _FIRMWARE[firmware]
    return image.firmware or _FIRMWARE["both"]  # which then tell why not


def minutes(text: str) -> Mapping[bool, float | None]:
    """Return how long a start may take by the time limit TEXT: on a processor of this machine, and emulated (True)."""
    from ci_toolkit.runners import limit

    if text == "auto":
        return {False: 5.0, True: 20.0}
    return {emulated: limit.minutes(text, emulated=emulated) for emulated in (False, True)}


def start(
    image: "Image", wishes: "Wishes", limits: Mapping[bool, float | None], environ: Mapping[str, str], console: Console
) -> "Outcome":
    """Start IMAGE as WISHES say, where QEMU runs here, with LIMITS of `minutes`. Raises HostError for nowhere."""
    from ci_toolkit.boot import box, ground
    from ci_toolkit.boot import start as starting
    from ci_toolkit.boot.outcome import Outcome

    kinds = [kind for kind in wishes.firmware if kind not in image.lacks]
    with ground.find(environ, console, output=wishes.output, kinds=kinds) as place:
        console.say(f"{place.description}: {place.accelerator.reason}")
        emulated = place.accelerator.name != "kvm"
        boots = starting.start(image, replace(wishes, minutes=limits[emulated]), place, console)
    if image.box is not None and image.provider:
        boots = box.added(boots, image.box, image.provider, wishes.output, console)
    return Outcome(image=image.title, boots=boots)


def run(
    image: "ContainerImage",
    wishes: "Wishes",
    command: tuple[str, ...],
    limit: float | None,
    environ: Mapping[str, str],
    console: Console,
) -> "Outcome":
    """Start a container image with the engine, whatever firmware is wished for. Raises UsageError, HostError."""
    from ci_toolkit.boot import engine
    from ci_toolkit.boot.outcome import Outcome

    for option, given in (("--ssh", wishes.user), ("--user-data", wishes.user_data)):
        if given is not None:
            raise UsageError(f"{option} is for virtual machines, and {image.path} is a container image")
    boot = engine.start(
        image, wishes.scripts, command,
        minutes=limit, output=wishes.output, environ=environ, console=console,
    )  # fmt: skip
    return Outcome(image=image.path.name, boots=(boot,))


def _words(text: str | None) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text or ""))
    except ValueError as error:
        raise UsageError(f"--command {text!r}: {error}", hint="Write it as for a shell.") from error


def write(outcome: "Outcome", output: Path) -> None:
    """Leave OUTCOME in the directory OUTPUT."""
    from ci_toolkit.boot import junit, stored

    deliver.write_file(output / REPORT, stored.render(outcome))
    deliver.write_file(output / JUNIT, junit.render(outcome))
