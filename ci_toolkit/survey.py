"""What there is to build, asked of mkosi where it would be built."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from ci_toolkit.console import Console
from ci_toolkit.errors import UsageError
from ci_toolkit.host import probe
from ci_toolkit.host.environment import NORMAL
from ci_toolkit.mkosi import matrix, plan, source
from ci_toolkit.mkosi.command import Call
from ci_toolkit.mkosi.config import ImageConfig
from ci_toolkit.mkosi.matrix import Question, Row
from ci_toolkit.process import Sandbox
from ci_toolkit.runners import choose, limit
from ci_toolkit.runners.runner import INSIDE, Request
from ci_toolkit.site import Wishes
from ci_toolkit.workshop import Workshop, open_workshop

# mkosi takes half a second for an answer, most of it to start.
_AT_ONCE: Final = 4
# GitHub refuses a matrix of more, and nobody reads a pipeline of more.
# https://docs.github.com/en/actions/reference/limits
ROWS_LIMIT: Final = 256


def survey(
    wishes: Wishes, architectures: tuple[str, ...], environ: Mapping[str, str], console: Console
) -> tuple[Row, ...]:
    """Return a row for each image that the definitions in the directory of WISHES can be built to.

    Raises UsageError where there is no definition, none of the profiles, or too much; BuildError where mkosi refuses.
    """
    asked = matrix.questions(wishes.directory, wishes.profiles, architectures)
    if not asked:
        raise UsageError(
            f"nothing in {wishes.directory} has a profile of the name{'s' if len(wishes.profiles) > 1 else ''} "
            + ", ".join(wishes.profiles),
            hint="Profiles are what mkosi.profiles/ holds.",
        )
    if len(asked) > ROWS_LIMIT:
        raise UsageError(
            f"{len(asked)} images are more than the {ROWS_LIMIT} that a matrix may have",
            hint="Choose some with --profile, or call it for each directory.",
        )
    capabilities = probe.probe(directory=wishes.directory.resolve(), environ=environ, thorough=False)
    runner = choose.choose(capabilities, wishes.runner)
    # Nothing is ever put there, so it is all the same what the output holds.
    nowhere = wishes.output.resolve().with_name(f"{wishes.output.name}.matrix")
    with open_workshop(nowhere, environ, console, cache=wishes.cache) as workshop:
        inside = _copy(asked, workshop)
        request = Request(
            scratch=workshop.scratch,
            packages=workshop.packages,
            console=console,
            environ=environ,
            rescue=workshop.rescue,
            network=False,
        )
        with runner.start(request) as place, ThreadPoolExecutor(1 if place.one_at_a_time else _AT_ONCE) as pool:
            sandbox = place.sandbox(NORMAL)
            minutes = limit.minutes(wishes.time_limit, emulated=place.emulated)
            started = time.monotonic()
            images = list(
                pool.map(lambda one: _ask(sandbox, inside[one.directory], one, wishes.mkosi_arguments, minutes), asked)
            )
            console.say(f"{len(images)} summaries from mkosi in {time.monotonic() - started:.1f} s")
    return matrix.rows(zip(asked, images, strict=True))


def _copy(asked: tuple[Question, ...], workshop: Workshop) -> dict[Path, Path]:
    """Copy the repositories of the definitions to the scratch directory; return where each definition is inside."""
    roots: dict[Path, str] = {}
    inside: dict[Path, Path] = {}
    for directory in dict.fromkeys(question.directory for question in asked):
        definition = source.find(directory)
        if definition.root not in roots:
            roots[definition.root] = name = f"definition{len(roots)}"
            leave_out = (workshop.output, workshop.staged.parent)
            source.copy(definition, workshop.scratch / name, epoch=definition.epoch, leave_out=leave_out)
        inside[directory] = INSIDE / roots[definition.root] / definition.directory
    return inside


def _ask(
    sandbox: Sandbox, directory: Path, question: Question, arguments: tuple[str, ...], minutes: float | None
) -> ImageConfig:
    call = Call(
        directory=directory,
        profiles=(question.profile,) if question.profile else (),
        arguments=(*question.arguments, *arguments),
        environment=NORMAL,
        epoch=None,
    )
    return plan.summary(sandbox, call, minutes)[-1]
