"""What there is to build below a directory: definitions, their profiles, and a row for each that can be built."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_toolkit.errors import UsageError
from ci_toolkit.mkosi.config import ImageConfig

_MARKS: Final = ("mkosi.conf", "mkosi.conf.d", "mkosi.images")
# What upload-artifact, GitLab's job names and every file system take.
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_NAME_CHARACTERS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One call of mkosi: a definition, the profile, and the architecture where one was asked for."""

    directory: Path
    profile: str = ""
    architecture: str = ""

    @property
    def arguments(self) -> tuple[str, ...]:
        return (f"--architecture={self.architecture}",) if self.architecture else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One build: `name` is for people, `artifact` safe as the name of a file, a job and an artifact, and its own.

    `directory` is as the caller named it; `arguments` are what mkosi has to be told besides.
    """

    name: str
    artifact: str
    directory: str
    profile: str
    architecture: str
    arguments: tuple[str, ...]


def definitions(directory: Path) -> tuple[Path, ...]:
    """Return DIRECTORY where it holds a definition, else those right below it. Raises UsageError where none does."""
    if not directory.is_dir():
        raise UsageError(f"{directory} is not a directory", hint="Name the directory that holds the definitions.")
    if _is_definition(directory):
        return (directory,)
    found = tuple(sorted(path for path in directory.iterdir() if path.is_dir() and _is_definition(path)))
    if not found:
        raise UsageError(f"{directory} holds no mkosi.conf, nor do the directories in it", hint="Name another one.")
    return found


def profiles(definition: Path) -> tuple[str, ...]:
    """Return the names of the profiles that DEFINITION has, in mkosi.profiles/NAME.conf or mkosi.profiles/NAME/."""
    place = definition / "mkosi.profiles"
    if not place.is_dir():
        return ()
    return tuple(sorted({path.stem if path.suffix == ".conf" else path.name for path in place.iterdir()}))


def questions(directory: Path, wanted: tuple[str, ...], architectures: tuple[str, ...]) -> tuple[Question, ...]:
    """Return what to ask mkosi about DIRECTORY.

    Each definition without a profile and with each of its own, or only with those WANTED that it has; for each of
    ARCHITECTURES, or as it is.
    """
    return tuple(
        Question(directory=definition, profile=profile, architecture=architecture)
        for definition in definitions(directory)
        for profile in (_wanted(definition, wanted) if wanted else ("", *profiles(definition)))
        for architecture in (architectures or ("",))
    )


def rows(answers: Iterable[tuple[Question, ImageConfig]]) -> tuple[Row, ...]:
    """Return a row for each of ANSWERS (what was asked, and the main image), but for those that leave no image."""
    found: list[Row] = []
    taken: set[str] = set()
    for question, image in answers:
        if image.format == "none":
            continue
        title = question.directory.name or image.image_id or image.output
        more = ", ".join(filter(None, (question.profile, question.architecture)))
        name = f"{title} ({more})" if more else title
        place = title if question.directory.is_absolute() or not question.directory.name else question.directory
        artifact = _own(_safe(f"{place}-{question.profile}-{image.architecture}"), taken)
        found.append(
            Row(
                name=name,
                artifact=artifact,
                directory=str(question.directory),
                profile=question.profile,
                architecture=image.architecture,
                arguments=question.arguments,
            )
        )
    return tuple(found)


def _wanted(definition: Path, wanted: tuple[str, ...]) -> tuple[str, ...]:
    there = profiles(definition)
    return tuple(name for name in wanted if name in there)


def _is_definition(directory: Path) -> bool:
    return any((directory / mark).exists() for mark in _MARKS)


def _safe(text: str) -> str:
    return re.sub(r"-{2,}", "-", _UNSAFE.sub("-", text))[:_NAME_CHARACTERS].strip("-.") or "image"


def _own(name: str, taken: set[str]) -> str:
    """Return NAME, with a number where it is TAKEN; GitHub's artifacts do not tell capitals apart on every system."""
    number, chosen = 1, name
    while chosen.lower() in taken:
        number += 1
        chosen = f"{name}-{number}"
    taken.add(chosen.lower())
    return chosen
