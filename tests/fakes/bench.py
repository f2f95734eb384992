"""For the tests of the rules: real programs run twice, and the differences a comparison makes of what they wrote."""

import functools
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ParamSpec

import pytest

from ci_toolkit.compare.difference import Content, Difference, Field, Value
from ci_toolkit.compare.explain import explain
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Finding
from ci_toolkit.compare.walk import compare

NO_FACTS = Facts()
KEPT = 256 << 10
PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"))
IMAGE = "ci-toolkit:local"  # the toolkit's own: it has programs that no stable Debian carries

_Arguments = ParamSpec("_Arguments")
_programs: set[str] = set()
_causes: set[str] = set()


def shows(identifier: str, *, by: str) -> Callable[[Callable[_Arguments, None]], Callable[_Arguments, None]]:
    """Claim that a test explains by the cause IDENTIFIER what the program BY wrote; the test fails where it does not.

    tests/contract/test_causes.py reads these claims, and wants one for every rule.
    """

    def claim(test: Callable[_Arguments, None]) -> Callable[_Arguments, None]:
        @functools.wraps(test)
        def checked(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> None:
            _causes.clear()
            test(*args, **kwargs)
            assert identifier in _causes, f"the test never saw the cause {identifier}"
            assert by in _programs, f"{by} was never run"

        return checked

    return claim


def run(
    *argv: str | Path, stdin: bytes = b"", environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> bytes:
    """Return what a program wrote; skip the test where it is not installed."""
    program = shutil.which(str(argv[0]), path=PATH)
    if program is None:
        pytest.skip(f"{argv[0]} is not installed")
    completed = subprocess.run(
        [program, *map(str, argv[1:])],
        input=stdin,
        env={"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/nonexistent", **(environment or {})},
        cwd=cwd,
        capture_output=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr.decode(errors="replace")
    _programs.add(str(argv[0]))
    return completed.stdout


def contained(program: str, command: str, place: Path) -> bytes:
    """Return what a shell COMMAND that calls PROGRAM wrote in a container, whose working directory is PLACE.

    Skip the test where no engine has the toolkit's own image, or PLACE is out of the engine's reach.
    """
    docker = shutil.which("docker")
    known = docker and subprocess.run([docker, "image", "inspect", IMAGE], capture_output=True, check=False)
    if not docker or not known or known.returncode != 0:
        pytest.skip(f"no container engine has {IMAGE}, for its {program}")
    mount = ("--volume", f"{place}:/place", "--workdir", "/place")
    argv = [docker, "run", "--rm", "--network=none", "--entrypoint=/bin/sh", *mount, IMAGE, "-ec", command]
    completed = subprocess.run(argv, capture_output=True, check=False)
    if completed.returncode == 127:
        pytest.skip(f"{IMAGE} has no {program}")
    assert completed.returncode == 0, completed.stderr.decode(errors="replace")
    _programs.add(program)
    return completed.stdout


def content(data: bytes) -> Content:
    return Content(size=len(data), sha256=hashlib.sha256(data).hexdigest(), head=data[:KEPT])


def changed(
    path: str | tuple[str, ...],
    before: bytes,
    after: bytes,
    *,
    container: str = "ext4",
    opened: bool = False,
    field: Field = Field.CONTENT,
    name: str | None = None,
) -> Difference:
    """The difference that a comparison makes of one file with two contents."""
    assert before != after
    offsets = [offset for offset, (a, b) in enumerate(zip(before, after, strict=False)) if a != b]
    return Difference(
        path=(path,) if isinstance(path, str) else path,
        field=field,
        name=name,
        container=container,
        before=content(before),
        after=content(after),
        opened=opened,
        bytes=len(offsets) + abs(len(before) - len(after)),
        first_offset=offsets[0] if offsets else min(len(before), len(after)),
    )


def differs(
    path: str | tuple[str, ...],
    field: Field,
    before: Value,
    after: Value,
    *,
    name: str | None = None,
    container: str = "ext4",
) -> Difference:
    """The difference of one property other than the content."""
    assert before != after
    return Difference(
        path=(path,) if isinstance(path, str) else path,
        field=field,
        name=name,
        container=container,
        before=before,
        after=after,
    )


def finding(difference: Difference, facts: Facts = NO_FACTS) -> Finding:
    """The one finding that one difference leads to."""
    (found,) = explain((difference,), facts)
    _causes.add(found.cause)
    return found


def cause(difference: Difference, facts: Facts = NO_FACTS) -> str:
    return finding(difference, facts).cause


def compared(a: Path, b: Path, facts: Facts = NO_FACTS) -> dict[str, Finding]:
    """The findings, by cause, that a comparison of two images or directories leads to."""
    found = {finding.cause: finding for finding in explain(compare(a, b).differences, facts)}
    _causes.update(found)
    return found


def together(*differences: Difference, facts: Facts = NO_FACTS) -> dict[str, Finding]:
    """The findings, by cause, that several differences lead to."""
    found = {finding.cause: finding for finding in explain(differences, facts)}
    _causes.update(found)
    return found
