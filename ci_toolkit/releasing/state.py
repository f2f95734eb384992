"""What a release has done so far, in a file: a run that is killed after any step goes on with the next one."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from ci_toolkit.errors import HostError, UnreadableError
from ci_toolkit.mkosi.manifest import Package
from ci_toolkit.releases.advisories.fix import Fix, Severity, is_identifier
from ci_toolkit.releases.advisories.section import PAGES
from ci_toolkit.releases.advisories.security import Security

NAME: Final = "release-state.json"
_LIMIT_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What was asked for; a run goes on only with the same."""

    images: tuple[str, ...]
    formats: tuple[str, ...]
    firmware: tuple[str, ...]
    targets: tuple[str, ...]
    signs: bool
    advises: bool = False
    sigstore: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What was verified of an image: the name of its main file, and the SHA-256 of every file by its name."""

    image: str
    digests: dict[str, str]
    packages: list[list[str]] | None = None

    def listed(self) -> tuple[Package, ...] | None:
        """Return its packages; None where they are not known."""
        if self.packages is None:
            return None
        return tuple(Package(name=one[0], architecture=one[1], version=one[2]) for one in self.packages)


@dataclass(slots=True, kw_only=True)
class State:
    """A release under way. `day` is an ISO date; `done` are the names of steps, `builds` by the names of the images.

    `security` is what was looked up of security fixes, None where nothing was: the notes of a run that goes on say the
    same as those of the run that began, though the advisories are others by then.
    """

    call: Call
    version: str
    day: str
    commit: str | None
    done: list[str] = field(default_factory=list)
    builds: dict[str, Built] = field(default_factory=dict)
    security: Security | None = None
    finished: bool = False


def save(state: State, directory: Path) -> None:
    """Write STATE into DIRECTORY, whole or not at all, and onto the disk. Raises OSError."""
    temporary = directory / f".{NAME}"
    with temporary.open("w", encoding="utf-8") as file:
        json.dump({"schema": 1, **asdict(state)}, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(directory / NAME)


def load(directory: Path) -> State | None:
    """Return the state in DIRECTORY; None where there is none. Raises UnreadableError."""
    path = directory / NAME
    try:
        if not path.is_file():
            return None
        if path.stat().st_size > _LIMIT_BYTES:
            raise ValueError
        return _state(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableError(f"{path} is no state of a release", hint="Remove it to begin anew.") from error


def _state(found: dict[str, Any]) -> State:
    if found["schema"] != 1:
        raise ValueError
    call = found["call"]
    return State(
        call=Call(
            images=tuple(call["images"]),
            formats=tuple(call["formats"]),
            firmware=tuple(call["firmware"]),
            targets=tuple(call["targets"]),
            signs=bool(call["signs"]),
            advises=bool(call.get("advises", False)),
            sigstore=bool(call.get("sigstore", False)),  # of a run that did not know it yet
        ),
        version=str(found["version"]),
        day=str(found["day"]),
        commit=found["commit"],
        done=list(found["done"]),
        builds={
            name: Built(image=one["image"], digests=dict(one["digests"]), packages=one["packages"])
            for name, one in found["builds"].items()
        },
        security=None if found.get("security") is None else _security(found["security"]),
        finished=bool(found["finished"]),
    )


def _security(found: dict[str, Any]) -> Security:
    fixes = [Fix(**{**one, "severity": Severity(one["severity"])}) for one in found["fixes"]]
    texts = [*found["gaps"], *(text for fix in fixes for text in asdict(fix).values())]
    if not all(isinstance(text, str) for text in texts) or not all(is_identifier(fix.identifier) for fix in fixes):
        raise ValueError
    if not {fix.distribution for fix in fixes} <= PAGES.keys():
        raise ValueError
    return Security(fixes=tuple(fixes), gaps=tuple(found["gaps"]))


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock of DIRECTORY, which is made. Raises HostError where another run has it, OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HostError(
                f"another release is being made in {directory}", hint="Wait for it, or name another --output."
            ) from error
        yield
    finally:
        os.close(held)
