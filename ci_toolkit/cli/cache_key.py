"""`ci-toolkit cache-key`: where a CI finds the packages of a definition, and under which key it may keep them."""

import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from ci_toolkit import settings
from ci_toolkit.cli.options import Building, console_of, environ_of, from_settings, wishes

_CACHE: Final = next(row for row in settings.SETTINGS if row.name == "cache")


@click.command(name="cache-key", cls=Building)
@click.argument("directory", type=click.Path(path_type=Path), required=False)
@from_settings("profile", "cache")
@click.pass_obj
def command(
    obj: dict[str, object], /, directory: Path | None, mkosi_arguments: tuple[str, ...], **given: str | None
) -> None:
    """Print key=, prefix=, wider= and path= for a cache of the packages that the definition in DIRECTORY needs.

    Nothing is printed where the CI's input command says that nothing is built.
    """
    from ci_toolkit.mkosi import cache, source
    from ci_toolkit.workshop import cache_directory

    environ = environ_of(obj)
    if not _CACHE.is_of(settings.value("command", environ)):
        return
    # Of several that are released the first stands for all: what the others need is fetched into the same place.
    first, _, _ = settings.value("directory", environ).partition(",")
    several = settings.value("command", environ) == "release"
    asked = wishes(directory or (Path(first) if several else None), given, mkosi_arguments, environ)
    arguments = (*(f"--profile={name}" for name in asked.profiles), *asked.mkosi_arguments)
    found = cache.key(
        source.find(asked.directory),
        architecture=platform.machine(),
        arguments=arguments,
        now=datetime.fromtimestamp(time.time(), UTC),
    )
    prefix, wider = found.prefixes
    path = (asked.cache or cache_directory(environ)).absolute()
    console_of(obj).result(f"key={found.key}\nprefix={prefix}\nwider={wider}\npath={path}")
