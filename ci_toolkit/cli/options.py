"""The options that several verbs share, made from the rows of settings.py."""

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ci_toolkit import settings
from ci_toolkit.console import Console
from ci_toolkit.errors import UsageError

if TYPE_CHECKING:
    from ci_toolkit.site import Wishes

Decorated = Callable[..., Any]


class Building(click.Command):
    """A verb that builds: what follows "--" goes to mkosi, whether a directory stands before it or not."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        rest = super().parse_args(ctx, args[:end])
        ctx.params["mkosi_arguments"] = tuple(args[end + 1 :])
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- MKOSI_ARGUMENTS]"]


def environ_of(obj: Mapping[str, object]) -> Mapping[str, str]:
    """Return the environment that cli/main.py read."""
    found = obj["environ"]
    assert isinstance(found, dict)
    return found


def console_of(obj: Mapping[str, object]) -> Console:
    """Return the console that cli/main.py opened."""
    found = obj["console"]
    assert isinstance(found, Console)
    return found


def from_settings(*names: str) -> Callable[[Decorated], Decorated]:
    """Add an option for each setting of NAMES; its value is None where the command line is silent."""

    def decorate(function: Decorated) -> Decorated:
        for row in (row for row in reversed(settings.SETTINGS) if row.name in names):
            kind = click.Choice(row.choices) if row.choices else click.STRING
            text = f"{row.help} [{row.default}]" if row.default else row.help
            option = click.option(f"--{row.name}", type=kind, metavar=None if row.choices else row.metavar, help=text)
            function = option(function)
        return function

    return decorate


def wishes(
    directory: Path | None,
    given: Mapping[str, str | None],
    mkosi_arguments: tuple[str, ...],
    environ: Mapping[str, str],
) -> "Wishes":
    """Join the command line (GIVEN), the CI's inputs and the defaults to what the pipeline is asked for."""
    from ci_toolkit.host.environment import parse_vary
    from ci_toolkit.runners import limit
    from ci_toolkit.site import Wishes

    def chosen(name: str) -> str:
        return given.get(name.replace("-", "_")) or settings.value(name, environ)

    time_limit = chosen("time-limit").strip()
    limit.minutes(time_limit, emulated=False)  # refused now, not when all is ready
    try:
        more = tuple(shlex.split(settings.value("mkosi-args", environ)))
    except ValueError as error:
        raise UsageError(f"mkosi-args cannot be split into words: {error}", hint="Close the quotation.") from error
    return Wishes(
        directory=directory or Path(settings.value("directory", environ)),
        output=Path(chosen("output")),
        profiles=tuple(name.strip() for name in chosen("profile").split(",") if name.strip()),
        runner=chosen("runner"),
        cache=Path(chosen("cache")) if chosen("cache") else None,
        vary=parse_vary(chosen("vary")),
        parallel=chosen("parallel"),
        mkosi_arguments=(*more, *mkosi_arguments),
        time_limit=time_limit,
        log=chosen("log"),
    )
