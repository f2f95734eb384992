"""What a job hands on without asking the forge: step summary, step outputs, GitLab's dotenv report."""

import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ci_toolkit.errors import ForgeError, UsageError

# GitHub drops the whole summary of a step above 1 MiB.
# https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits
SUMMARY_LIMIT_BYTES: Final = 1024 * 1024
# GitLab's defaults on a self-managed server.
# https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv
DOTENV_LIMIT_BYTES: Final = 5 * 1024
DOTENV_LIMIT_VARIABLES: Final = 20

_CUT: Final = b"\n\n*The rest is cut: a step's summary ends at 1 MiB.*\n"
_OUTPUT_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")
_DOTENV_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
# No blanks, line ends or quotes, which GitLab takes as they are, and nothing beyond ASCII that hides.
_DOTENV_VALUE: Final = re.compile(r"[!#-&(-~]*")


def summarise(file: str, text: str) -> None:
    """Append TEXT to the step summary FILE, cut where the step's summary would exceed 1 MiB.

    Raises ForgeError when the file is not there or cannot be written: the runner makes it beforehand.
    """
    path = Path(file)
    added = _whole_lines(text)
    room = SUMMARY_LIMIT_BYTES - _size(path, "GITHUB_STEP_SUMMARY") - len("\n")
    if len(added) > room:
        kept = added[: max(room - len(_CUT), 0)]
        added = kept[: kept.rfind(b"\n") + 1] + _CUT if b"\n" in kept else b""
    if added:
        _append(path, added, "GITHUB_STEP_SUMMARY")


def put_outputs(file: str, values: Mapping[str, str]) -> None:
    """Append VALUES to the step outputs FILE (GITHUB_OUTPUT).

    Every value is written between delimiters that nobody can guess, so that no value can set another output.
    Raises UsageError for a name that is none, ForgeError when the file is not there or cannot be written.
    """
    for name in values:
        if not _OUTPUT_NAME.fullmatch(name):
            raise UsageError(f"{name!r} cannot be the name of an output")
    path = Path(file)
    _size(path, "GITHUB_OUTPUT")
    text = "".join(_between_delimiters(name, value) for name, value in values.items())
    _append(path, _encoded(text), "GITHUB_OUTPUT")


def write_dotenv(path: Path, values: Mapping[str, str]) -> tuple[str, ...]:
    """Write VALUES as a dotenv report for GitLab and return the names that it cannot hold, which are left out.

    A value there has no blanks, quotes or line breaks; the file has at most 20 variables and 5 KiB.
    Raises UsageError for a name that is none.
    """
    lines: list[str] = []
    left_out: list[str] = []
    for name, value in values.items():
        if not _DOTENV_NAME.fullmatch(name):
            raise UsageError(f"{name!r} cannot be the name of a variable")
        line = f"{name}={value}\n"
        full = len(lines) == DOTENV_LIMIT_VARIABLES or sum(map(len, lines)) + len(line) > DOTENV_LIMIT_BYTES
        if full or not _DOTENV_VALUE.fullmatch(value):
            left_out.append(name)
        else:
            lines.append(line)
    path.write_text("".join(lines), encoding="ascii")
    return tuple(left_out)


def _between_delimiters(name: str, value: str) -> str:
    delimiter = f"ghadelimiter_{uuid.uuid4()}"
    if delimiter in value:
        raise UsageError(f"the value of {name} holds its own delimiter")
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _whole_lines(text: str) -> bytes:
    return _encoded(text if text.endswith("\n") else text + "\n")


def _size(path: Path, variable: str) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        raise ForgeError(
            f"{variable} names a file that is not there", hint="A container needs the runner's files mounted."
        ) from None


def _append(path: Path, data: bytes, variable: str) -> None:
    """The runner holds the path: the file is added to, never replaced.

    Somebody before us may have left the last line open (`printf name=value`).
    """
    try:
        with path.open("a+b") as file:
            if file.seek(0, 2):
                file.seek(-1, 2)
                data = data if file.read(1) == b"\n" else b"\n" + data
            file.write(data)
    except OSError as error:
        raise ForgeError(f"{variable} cannot be written: {error.strerror}") from None
