"""What is made of an image in the job that built it, where that came out as it should: other formats, and starts of it.

What `ci-toolkit convert` and `ci-toolkit boot` do by themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ci_toolkit import settings
from ci_toolkit.cli import boot, convert, deliver
from ci_toolkit.console import Console
from ci_toolkit.errors import ExitCode, ToolkitError, UsageError

if TYPE_CHECKING:
    from ci_toolkit.boot.guest import Script
    from ci_toolkit.boot.outcome import Boot
    from ci_toolkit.formats.table import Format
    from ci_toolkit.reports.report import Converted, Report

# Below the output; what was seen of each start.
DIRECTORY: Final = "boot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The settings formats, boot and boot-check."""

    formats: "tuple[Format, ...]"
    firmware: tuple[str, ...]
    scripts: "tuple[Script, ...]"


def asked(environ: Mapping[str, str], given: Mapping[str, str | None] = MappingProxyType({})) -> Asked:
    """Return what the options GIVEN, else ENVIRON, ask for.

    Raises UsageError, before anything is built, for what there is not.
    """
    from ci_toolkit.boot import guest, image
    from ci_toolkit.formats import table

    names = given.get("formats") or settings.value("formats", environ)
    firmware = _listed(given.get("boot") or settings.value("boot", environ))
    known = (image.BIOS, image.UEFI, image.SECURE_BOOT)
    for name in firmware:
        if name not in known:
            raise UsageError(f"boot is {name!r}", hint=f"It is some of: {', '.join(known)}.")
    scripts = _listed(given.get("boot_check") or settings.value("boot-check", environ))
    if scripts and not firmware:
        raise UsageError("boot-check is for images that are started", hint="Say with what: boot: uefi.")
    return Asked(
        formats=table.find(names) if names else (),
        firmware=firmware,
        scripts=guest.read_scripts([Path(name) for name in scripts]),
    )


def make(
    report: "Report", wanted: Asked, output: Path, environ: Mapping[str, str], console: Console
) -> "tuple[Report, ExitCode]":
    """Return REPORT, whose image is in OUTPUT, with what was made of it as WANTED, and the exit code for that.

    What fails is told in the report; the worse exit code counts.
    """
    image = output / report.builds[0].image
    formats, first = _convert(image, wanted, output, console)
    boots, second = start(image, wanted, output / DIRECTORY, environ, console)
    return replace(report, formats=formats, boots=boots), max(first, second)


def left_out(report: "Report", wanted: Asked) -> "Report":
    """Return REPORT, which is not as it should be, with a note on what was WANTED of the image."""
    if not wanted.formats and not wanted.firmware:
        return report
    note = "The image was neither converted nor started: it did not come out as it should."
    return replace(report, notes=(*report.notes, note))


def _convert(image: Path, wanted: Asked, output: Path, console: Console) -> "tuple[tuple[Converted, ...], ExitCode]":
    from ci_toolkit.formats import convert as conversion
    from ci_toolkit.mkosi.build import Artefact
    from ci_toolkit.reports.report import Converted

    if not wanted.formats:
        return (), ExitCode.FINE
    try:
        found = conversion.convert(image, wanted.formats, output, console, None)
    except ToolkitError as error:
        console.error(error.message, hint=error.hint)
        return tuple(Converted(format=one.name, reason=error.message) for one in wanted.formats), error.exit_code
    console.result(convert.text(found))
    formats = tuple(
        Converted(
            format=result.format.name,
            seconds=result.seconds,
            files=tuple(Artefact(name=file.path, size=file.size, sha256=file.sha256) for file in result.files),
        )
        for result in found.results
    )
    return formats, ExitCode.FINE


def start(
    image: Path, wanted: Asked, output: Path, environ: Mapping[str, str], console: Console
) -> "tuple[tuple[Boot, ...], ExitCode]":
    """Start IMAGE with the firmware that is WANTED, and leave what was seen in OUTPUT; nothing wanted is fine.

    A container image, which has none, is run by the engine.
    """
    from ci_toolkit.boot import subject, table
    from ci_toolkit.boot.image import Image
    from ci_toolkit.boot.outcome import Boot
    from ci_toolkit.boot.start import Wishes

    if not wanted.firmware:
        return (), ExitCode.FINE
    try:
        deliver.check_directory(output)
        wishes = Wishes(firmware=wanted.firmware, output=output.absolute(), minutes=None, scripts=wanted.scripts)
        limits = boot.minutes("auto")
        with subject.opened(image, output.absolute(), console) as found:
            if isinstance(found, Image):
                outcome = boot.start(found, wishes, limits, environ, console)
            else:
                outcome = boot.run(found, wishes, (), limits[False], environ, console)
    except ToolkitError as error:
        console.error(error.message, hint=error.hint)
        reason = error.message.replace("\n", "; ")
        return tuple(Boot(firmware=name, accelerator="", reason=reason) for name in wanted.firmware), error.exit_code
    boot.write(outcome, output)
    width, colour = deliver.screen(environ, console)
    console.result(table.render(outcome, None, width=width, colour=colour))
    return outcome.boots, outcome.exit_code


def _listed(value: str) -> tuple[str, ...]:
    words = (word.strip() for word in value.split(","))
    return tuple(dict.fromkeys(word for word in words if word))
