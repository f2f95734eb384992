"""`ci-toolkit seccomp`: print the profile for `docker run --security-opt seccomp=FILE` or a runner's configuration."""

import click

from ci_toolkit.console import Console
from ci_toolkit.runners import seccomp


@click.command(name="seccomp")
@click.pass_obj
def command(obj: dict[str, object]) -> None:
    """Print the seccomp profile under which a container may build: Docker's default and the calls it adds."""
    console = obj["console"]
    assert isinstance(console, Console)
    console.result(seccomp.load())
