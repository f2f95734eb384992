"""Run a module of this room as a program of its own, so that its crash, hang or kill stays its own."""

import sys
from collections.abc import Mapping
from pathlib import Path

import ci_toolkit
from ci_toolkit import process
from ci_toolkit.process import MINIMAL, Command, Completed


def run(
    module: str,
    *arguments: str,
    seconds: float,
    stdin: str | None = None,
    environment: Mapping[str, str] = MINIMAL,
) -> Completed:
    """Run `python -m MODULE ARGUMENTS`, ended after SECONDS.

    The package is found where this process has it, and nothing is imported from the working directory.
    """
    root = str(Path(ci_toolkit.__file__).resolve().parent.parent)
    return process.run(
        Command(
            argv=(sys.executable, "-P", "-s", "-m", module, *arguments),
            environment={**environment, "PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"},
        ),
        timeout_seconds=seconds,
        stdin=stdin,
    )


def how_it_ended(completed: Completed, seconds: float) -> str:
    """Return why COMPLETED, a child that was given SECONDS, did not answer."""
    match completed.exit_code:
        case 124:
            return f"no answer within {seconds:.0f} s"
        case 126 | 127:
            return completed.stderr.strip()
        case code if code > 128:
            return f"the probe was ended by signal {code - 128}"
        case code:
            last = completed.stderr.strip().splitlines()[-1:] or ["no message"]
            return f"the probe failed with exit code {code}: {last[0]}"
