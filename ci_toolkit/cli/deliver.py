"""What the verbs that judge share: show the report, leave it in files, and apply the fail policy."""

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci_toolkit.console import Console, Fold
from ci_toolkit.errors import ExitCode, HostError, UsageError

if TYPE_CHECKING:
    from ci_toolkit.reports.report import Report

# A report's file in its directory, and the renderer that writes it.
FILES: Final = (
    ("report.json", "json"),
    ("report.md", "markdown"),
    ("report.html", "html"),
    ("report.junit.xml", "junit"),
    ("report.metrics.txt", "metrics"),
)
_POINTED: Final = 10
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def screen(environ: Mapping[str, str], console: Console) -> tuple[int, bool]:
    """Return how wide a text for the reader may be, in columns, and whether it may have colours.

    Follows https://no-color.org, and colours no file or pipe but the logs of CI systems, which show them.
    """
    width = min(shutil.get_terminal_size((110, 40)).columns, 140)
    shows = sys.stdout.isatty() or console.fold is not Fold.NONE
    return width, shows and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def show(report: "Report", environ: Mapping[str, str], console: Console) -> None:
    """Write REPORT to the terminal."""
    from ci_toolkit.reports import terminal

    width, colour = screen(environ, console)
    console.result(terminal.render(report, width=width, colour=colour))


def point(report: "Report", directory: str, console: Console) -> None:
    """Tell of each cause beside mkosi.conf, where the CI can; GitHub shows no more than ten for a step."""
    from ci_toolkit.reports import outline

    if console.fold is not Fold.GITHUB:
        return  # the report on the terminal has them
    for group in outline.groups(report.findings)[:_POINTED]:
        finding = group.finding
        text = f"{outline.explanation(finding)}\n{finding.fix}".strip()
        console.point(str(Path(directory) / "mkosi.conf"), finding.title, text)


def render(report: "Report", kind: str) -> str:
    """Return REPORT as text of KIND: one of those in FILES."""
    match kind:
        case "json":
            from ci_toolkit.reports import json

            return json.render(report)
        case "markdown":
            from ci_toolkit.reports import markdown

            return markdown.render(report)
        case "html":
            from ci_toolkit.reports.html import page

            return page.render(report)
        case "junit":
            from ci_toolkit.reports import junit

            return junit.render(report)
        case "metrics":
            from ci_toolkit.reports import metrics

            return metrics.render(report)
        case _:
            raise ValueError(f"no report is written as {kind}")


def write(report: "Report", directory: Path) -> None:
    """Leave REPORT in DIRECTORY as FILES, and the list of the image's files. Raises as `write_file` does."""
    from ci_toolkit.cli import reading
    from ci_toolkit.images import mtree

    for name, kind in FILES:
        write_file(directory / name, render(report, kind))
    place = directory / reading.FILES
    if report.files is None:
        place.unlink(missing_ok=True)  # of an earlier report
    else:
        _write(place, mtree.render(report.files))


def check_directory(directory: Path) -> None:
    """Make DIRECTORY where it is not there yet. Raises UsageError where that cannot be done."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{directory} cannot hold the report: {error.strerror}", hint="Name another --report-dir."
        ) from error


def check_file(path: Path) -> None:
    """See that a file can be made at PATH, before the work that fills it. Raises UsageError where it cannot."""
    if path.is_dir():
        raise UsageError(f"{path} is a directory", hint="Name a file to write the report to.")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is not a directory", hint="Make it, or name another file.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{path} cannot be written", hint="Name a file that you may write.")


def write_file(path: Path, text: str) -> None:
    """Write TEXT to PATH, whole or not at all; to a pipe, a device and what is open already (/dev/stderr) as it is.

    Raises HostError when the disk is full, UsageError when PATH cannot be written.
    """
    _write(path, text.encode("utf-8", "backslashreplace"))


def _write(path: Path, data: bytes) -> None:
    try:
        if _is_stream(path):
            with path.open("ab") as stream:
                stream.write(data)
        else:
            _replace(path.resolve(), data)
    except OSError as error:
        if error.errno in _FULL:
            raise HostError(
                f"the disk is full: {path} was not written", hint="Free space, and run it again."
            ) from error
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", hint="Name a file that you may write."
        ) from error


def exit_code(report: "Report", fail_on: str) -> ExitCode:
    """Return the exit code of the policy FAIL_ON (see compare.policy.FailOn) for REPORT."""
    from ci_toolkit.compare import policy

    no = policy.fails(policy.FailOn(fail_on), report.verdict, report.findings)
    return ExitCode.POLICY if no else ExitCode.FINE


def _is_stream(path: Path) -> bool:
    """Tell whether PATH is no file that could be replaced, or names one that this process has open."""
    return path.exists() and (not path.is_file() or path.is_relative_to("/dev") or path.is_relative_to("/proc"))


def _replace(path: Path, data: bytes) -> None:
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
        umask = os.umask(0o022)  # the only way to read it
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
