"""boot.json, as `boot.schema.json` has it: written for machines, and read as a baseline, which may be anybody's."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from ci_toolkit.boot.outcome import Boot, Check, Outcome
from ci_toolkit.errors import UnreadableError

SCHEMA: Final = 1
# A hundred checks, each with 256 KiB of output, twice, and four times as many characters where they are escaped.
BYTES_MAX: Final = 64 << 20

_MOST: Final = 1000
_TEXT_MAX: Final = 1 << 20
_HINT: Final = "Give the boot.json that `ci-toolkit boot` wrote, as it was written."
_NAME: Final = re.compile(r"[a-z-]{1,16}")
_T = TypeVar("_T")


def render(outcome: Outcome) -> str:
    """Return OUTCOME as JSON, pure ASCII; the texts in it are the guest's, and have to be escaped when shown."""
    document = {
        "schema": SCHEMA,
        "image": outcome.image,
        "verdict": outcome.verdict.value,
        "boots": [entry(boot) for boot in outcome.boots],
    }
    return json.dumps(document, indent=1) + "\n"


def entry(boot: Boot) -> dict[str, object]:
    """Return BOOT as JSON has it."""
    return {
        "firmware": boot.firmware,
        "passed": boot.passed,
        "reason": boot.reason,
        "sign": boot.sign,
        "seconds": boot.seconds,
        "accelerator": boot.accelerator,
        "state": boot.state,
        "startup": boot.startup,
        "failed_units": None if boot.failed_units is None else list(boot.failed_units),
        "ports": None if boot.ports is None else list(boot.ports),
        "checks": [_check(check) for check in boot.checks],
        "files": list(boot.files),
        "notes": list(boot.notes),
    }


def _check(check: Check) -> dict[str, object]:
    return {
        "name": check.name,
        "passed": check.passed,
        "exit_code": check.exit_code,
        "reason": check.reason,
        "output": check.output,
    }


def load(path: Path) -> Outcome:
    """Read the boot.json at PATH. Raises UnreadableError, with one line, for anything else."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            content = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}", hint=_HINT) from error
    if len(content) > BYTES_MAX:
        raise UnreadableError(f"{path} is larger than {BYTES_MAX >> 20} MiB", hint=_HINT)
    return parse(content)


def parse(content: bytes) -> Outcome:
    """Return the outcome that CONTENT holds. Raises UnreadableError."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("the baseline is no JSON", hint=_HINT) from error
    members = _object(document, "it")
    if members.get("schema") != SCHEMA or isinstance(members.get("schema"), bool):
        _refuse("schema", f"{SCHEMA}, which this toolkit reads")
    return Outcome(
        image=_text(members.get("image"), "image"),
        boots=_each(members.get("boots"), "boots", read_entry),
    )


def read_entry(value: object, place: str) -> Boot:
    """Return the start that VALUE is, found at PLACE. Raises UnreadableError for what is none."""
    members = _object(value, place)

    def at(name: str) -> Any:
        return members.get(name)

    firmware = _text(at("firmware"), f"{place}.firmware")
    if not _NAME.fullmatch(firmware):
        _refuse(f"{place}.firmware", "the name of a firmware")
    return Boot(
        firmware=firmware,
        accelerator=_text(at("accelerator"), f"{place}.accelerator"),
        reason=_text(at("reason"), f"{place}.reason"),
        sign=_text(at("sign"), f"{place}.sign"),
        seconds=_seconds(at("seconds"), f"{place}.seconds"),
        state=_optional(at("state"), f"{place}.state", _text),
        startup=_optional(at("startup"), f"{place}.startup", _text),
        failed_units=_optional(at("failed_units"), f"{place}.failed_units", _texts),
        ports=_optional(at("ports"), f"{place}.ports", _texts),
        checks=_each(at("checks"), f"{place}.checks", _read_check),
        files=_optional(at("files"), f"{place}.files", _texts) or (),
        notes=_optional(at("notes"), f"{place}.notes", _texts) or (),
    )


def _read_check(value: object, place: str) -> Check:
    members = _object(value, place)
    code = members.get("exit_code")
    if code is not None and (isinstance(code, bool) or not isinstance(code, int) or not 0 <= code < 1000):
        _refuse(f"{place}.exit_code", "an exit code")
    return Check(
        name=_text(members.get("name"), f"{place}.name"),
        exit_code=code if isinstance(code, int) else None,
        output=_optional(members.get("output"), f"{place}.output", _text) or "",
        reason=_text(members.get("reason"), f"{place}.reason"),
    )


def _object(value: object, place: str) -> dict[str, object]:
    return value if isinstance(value, dict) else _refuse(place, "an object")


def _text(value: object, place: str) -> str:
    return value if isinstance(value, str) and len(value) <= _TEXT_MAX else _refuse(place, "a text")


def _seconds(value: object, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        _refuse(place, "a number of seconds")
    return float(value)


def _texts(value: object, place: str) -> tuple[str, ...]:
    return _each(value, place, _text)


def _each(value: object, place: str, read: Callable[[object, str], _T]) -> tuple[_T, ...]:
    if not isinstance(value, list) or len(value) > 4 * _MOST:
        _refuse(place, "a list")
    return tuple(read(one, f"{place}[{number}]") for number, one in enumerate(value))


def _optional(value: object, place: str, read: Callable[[object, str], _T]) -> _T | None:
    return None if value is None else read(value, place)


def _refuse(place: str, wanted: str) -> NoReturn:
    raise UnreadableError(f"what was told of a start is not ours: {place} is not {wanted}", hint=_HINT)
