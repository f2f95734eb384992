"""Find and read stored reports, which anybody may have written."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci_toolkit.errors import UnreadableError

if TYPE_CHECKING:
    from ci_toolkit.ci.job import Job
    from ci_toolkit.images.listing import Listed
    from ci_toolkit.reports.report import Report

# A report is text; a larger file is something else, or meant to fill the memory.
REPORT_LIMIT_BYTES: Final = 64 * 1024 * 1024
REPORT: Final = "report.json"
# Beside the report: what is in the image that it is of.
FILES: Final = "report.files.mtree.gz"
REPORTS_LIMIT: Final = 100
FILES_LIMIT_BYTES: Final = 16 * 1024 * 1024


def files(place: Path) -> tuple[Path, ...]:
    """Return PLACE, or where it is a directory every report.json below it that is a file of its own; () for none.

    Raises UnreadableError where there are more than anybody made.
    """
    if not place.is_dir():
        return (place,) if place.exists() else ()
    named = (Path(where, REPORT) for where, _, names in os.walk(place) if REPORT in names)
    found = sorted(path for path in named if path.is_file() and not path.is_symlink())
    if len(found) > REPORTS_LIMIT:
        raise UnreadableError(f"{len(found)} reports are more than {REPORTS_LIMIT}", hint="Name one of them.")
    return tuple(found)


def every(found: Sequence[Path], job: "Job") -> tuple["Report", ...]:
    """Return the reports in the files FOUND, as `stored` does; together they may be as large as one may be."""
    size = sum(file.stat().st_size for file in found if file.exists())
    if size > REPORT_LIMIT_BYTES:
        raise UnreadableError(
            f"{len(found)} reports are larger than 64 MiB together",
            hint="Give fewer at a time, each time with a --name.",
        )
    return tuple(stored(file, job) for file in found)


def stored(file: Path, job: "Job") -> "Report":
    """Return the report in FILE, which anybody may have written, for JOB.

    Where JOB is for a change that another job has built (`head`), the report has to be of the very commit that this
    was. Raises UnreadableError for any other report, and for what is none.
    """
    from ci_toolkit.reports import json
    from ci_toolkit.reports.report import FORK_NOTE

    report = json.parse(read(file), site=job.site)
    if job.head is not None and (report.job is None or report.job.commit != job.commit):
        raise UnreadableError(
            f"{file} is not of the commit {job.commit} that the finished workflow ran on",
            hint="Take the artifact of that run.",
        )
    if job.head is not None and job.head.repository != job.repository:
        return replace(report, notes=(FORK_NOTE, *report.notes))
    return report


def listed(file: Path, limit: int) -> "tuple[Listed, ...] | None":
    """Return the list of the files of the image that the report FILE is of, from beside it; None where there is none.

    Raises UnreadableError where that is none of ours, or has more than LIMIT files.
    """
    from ci_toolkit.images import mtree

    place = file.with_name(FILES)
    if place.is_symlink() or not place.is_file():
        return None
    try:
        with place.open("rb") as stream:
            data = stream.read(FILES_LIMIT_BYTES + 1)
        if len(data) > FILES_LIMIT_BYTES:
            raise UnreadableError("it is larger than 16 MiB", hint="The list of an image's files is much smaller.")
        return mtree.parse(data, limit)
    except UnreadableError as error:
        raise UnreadableError(f"{place}: {error.message}", hint=error.hint) from None
    except OSError as error:
        raise UnreadableError(f"{place}: {error.strerror}", hint="Take it away, or let it be read.") from error


def read(file: Path) -> str:
    """Return the text of FILE; raises UnreadableError for one that is not there, too large, or not text."""
    try:
        with file.open("rb") as stream:
            data = stream.read(REPORT_LIMIT_BYTES + 1)
        if len(data) > REPORT_LIMIT_BYTES:
            raise UnreadableError(f"{file} is larger than 64 MiB", hint="A report is a few kilobytes of JSON.")
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise UnreadableError(f"{file} is not text", hint="Give the report.json of verify or compare.") from None
    except OSError as error:
        raise UnreadableError(f"{file}: {error.strerror}", hint="Give the report.json of verify or compare.") from None
