"""What can be asked of the set-up, in any order: each verb is a step that is skipped when its result stands."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

from bootstrap import debian_packages, engine, local_base, test_runs, toolkit_image, virtualenv
from bootstrap.failures import NO_SPACE, RefusedError, SetupError, diagnose
from bootstrap.journal import Journal
from bootstrap.programs import Programs
from bootstrap.workplace import Workplace, alone, cache_directory, distribution

_SETUP: Final[dict[str, Callable[[Workplace], None]]] = {
    "engine": engine.ensure,
    "venv": virtualenv.ensure,
    "packages": debian_packages.add_test_tools,
    "image": toolkit_image.ensure,
    "clean": lambda workplace: clean(workplace),
}
_TESTS: Final = {"unit": ("quick",), "tests": ("unit", "integration")}
_LITTER: Final = (
    ".venv",
    "output",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".import_linter_cache",
    ".hypothesis",
    "ci_toolkit.egg-info",
)


def run(arguments: list[str]) -> int:
    """Do the verbs ARGUMENTS one after the other and return the exit code: 0, 1 on a failure, 130 when interrupted."""
    unknown = [verb for verb in arguments if verb not in {**_SETUP, **_TESTS}]
    if unknown or not arguments:
        print(f"usage: python3 -m bootstrap {{{','.join({**_SETUP, **_TESTS})}}}...", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        workplace = _workplace("-".join(arguments))
    except SetupError as error:
        return _fail(error.message, error.hint)
    try:
        return _do(arguments, workplace)
    except SetupError as error:
        workplace.journal.record(f"{error.message}\n")
        return _fail(error.message, error.hint, None if isinstance(error, RefusedError) else workplace.journal)
    except OSError as error:
        message = f"{error.filename or 'the set-up'}: {error.strerror}"
        return _fail(message, diagnose(str(error.strerror)) or NO_SPACE, workplace.journal)
    except KeyboardInterrupt:
        print("\nset-up: interrupted; what is not whole will be made anew next time", file=sys.stderr)
        return 130


def _do(verbs: list[str], workplace: Workplace) -> int:
    for verb in verbs:
        if verb in _TESTS:
            return test_runs.run(workplace, _TESTS[verb])
        with alone(workplace):
            _SETUP[verb](workplace)
    return 0


def clean(workplace: Workplace) -> None:
    """Remove what the set-up made: environment, outputs, caches, local images; Debian's packages and images stay."""
    for name in _LITTER:
        shutil.rmtree(workplace.root / name, ignore_errors=True)
    for path in workplace.root.rglob("__pycache__"):
        shutil.rmtree(path, ignore_errors=True)
    for name in ("machine", "tests"):
        shutil.rmtree(workplace.cache / name, ignore_errors=True)
    bases = workplace.programs.ask(["docker", "image", "ls", "--quiet", local_base.name_of("*")])
    names = [toolkit_image.NAME, *(bases.output.split() if bases.ok else ())]
    if bases.ok:
        workplace.programs.run(["docker", "image", "rm", *dict.fromkeys(names)])
    workplace.journal.note("removed: " + " ".join([*_LITTER, *names[:1]]))


def _workplace(name: str) -> Workplace:
    environ = dict(os.environ)
    cache = cache_directory(environ)
    journal = Journal(cache / "logs" / f"{name}.log")
    journal.record(f"{distribution()}, Python {sys.version.split()[0]}, user {os.geteuid()}\n")
    return Workplace(
        root=Path(__file__).resolve().parent.parent,
        cache=cache,
        environ=environ,
        journal=journal,
        programs=Programs(environ, journal),
        is_root=os.geteuid() == 0,
    )


def _fail(message: str, hint: str | None, journal: Journal | None = None) -> int:
    if journal is not None:
        print(f"\nThe last lines of {journal.path}:\n{journal.tail()}\n", file=sys.stderr)
    print(f"set-up: {message}" + (f"\n        {hint}" if hint else ""), file=sys.stderr)
    return 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
