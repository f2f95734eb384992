"""The reports of earlier builds, to tell what changed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci_toolkit.cli import reading
from ci_toolkit.console import Console
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.listing import LIMIT_FILES

if TYPE_CHECKING:
    from ci_toolkit.reports.report import Report

_BETWEEN: Final = re.compile(r"[,\n]")
# Of a matrix with very many images, the first ones have their files compared.
_FILES_IN_ALL: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the reports of one baseline are: a file, or a directory with several; `name` is what it is called."""

    name: str
    path: Path


def parse(text: str) -> tuple[Place, ...]:
    """Return the places that TEXT, the setting, names: paths, each with NAME= before it or none.

    One alone needs no name, several are called by their paths where they have none.
    """
    given = [one.strip() for one in ([text] if Path(text).exists() else _BETWEEN.split(text))]
    places = [_place(one) for one in given if one]
    if len(places) > 1:
        places = [replace(place, name=place.name or str(place.path)) for place in places]
    return tuple(places)


def _place(text: str) -> Place:
    name, sign, path = text.partition("=")
    if not sign or not path.strip() or Path(text).exists():
        return Place(name="", path=Path(text))
    return Place(name=name.strip(), path=Path(path.strip()))


def apply(
    reports: Sequence["Report"], setting: str, console: Console, stored: Sequence[Path] = ()
) -> tuple["Report", ...]:
    """Return REPORTS with what each changed against the reports of the same image in each place of SETTING.

    SETTING may be empty, and a place not there yet: a first build has none. What cannot be read is a warning: the
    reports are worth more than the comparison. STORED are the files that REPORTS are from, if they are: beside them are
    lists of the images' files.
    """
    found = tuple(reports)
    lists = _Lists(console=console)
    for place in parse(setting):
        found = _against(place, found, stored or [None] * len(found), lists)
    return found


@dataclass(kw_only=True)
class _Lists:
    """Reads lists of files as they are needed, so that but two are in memory, and no more than `left` files in all."""

    console: Console
    left: int = _FILES_IN_ALL

    def beside(self, report: "Report", file: Path | None) -> "Report":
        """Return REPORT, which is from FILE, with the list beside it."""
        if file is None or report.files is not None:
            return report
        try:
            files = reading.listed(file, min(self.left, LIMIT_FILES))
        except UnreadableError as error:
            self.console.warn(f"nothing is said of changed files: {error.message}", hint=error.hint)
            return report
        self.left -= len(files or ())
        return replace(report, files=files)


def _against(
    place: Place, reports: tuple["Report", ...], stored: Sequence[Path | None], lists: _Lists
) -> tuple["Report", ...]:
    from ci_toolkit.reports import baseline

    bases = _read(place, lists.console)
    found = []
    for report, file in zip(reports, stored, strict=True):
        pair = next(((base, path) for base, path in bases if baseline.is_of(base, report)), None)
        if pair is None:
            found.append(report)
            continue
        change = baseline.between(lists.beside(*pair), lists.beside(report, file), place.name)
        found.append(replace(report, changes=(*report.changes, change)))
    told = any(len(new.changes) > len(old.changes) for new, old in zip(found, reports, strict=True))
    if bases and not told and not any(report.failure for report in reports):
        lists.console.say(f"{place.path} is of no image that was built here: nothing is said of what changed")
    return tuple(found)


def _read(place: Place, console: Console) -> Sequence[tuple["Report", Path]]:
    from ci_toolkit.reports import json

    if not place.path.exists():
        console.say(f"there is no baseline {place.path}: nothing is said of what changed")
        return ()
    try:
        return [(json.parse(reading.read(file)), file) for file in reading.files(place.path)]
    except UnreadableError as error:
        console.warn(f"the baseline was not read: {error.message}", hint=error.hint)
        return ()
