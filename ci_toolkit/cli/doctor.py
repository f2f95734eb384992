"""`ci-toolkit doctor`: tell what this machine can do, what leaks from it, and which runner fits."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ci_toolkit.cli import deliver
from ci_toolkit.cli.options import console_of, environ_of
from ci_toolkit.console import Console
from ci_toolkit.errors import ExitCode

if TYPE_CHECKING:
    from ci_toolkit.reports.doctor import Diagnosis


@click.command(name="doctor")
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of text.")
@click.option("--explain", is_flag=True, help="Tell of every check why it matters and what mends it.")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.pass_obj
def command(obj: dict[str, object], directory: Path, as_json: bool, explain: bool) -> int:
    """Tell which CI this is, what leaks from this machine, what it can do, and which runner fits.

    DIRECTORY is the checkout to look at. A kernel is booted to prove /dev/kvm: that may take ten seconds and more.
    Exit code 3 when no runner can build here.
    """
    environ, console = environ_of(obj), console_of(obj)
    if as_json:
        from ci_toolkit.reports import doctor

        diagnosis = _diagnosis(directory, environ)
        console.result(doctor.to_json(diagnosis))
        return ExitCode.FINE if diagnosis.chosen else ExitCode.HOST
    return diagnose(directory, environ, console, explain=explain)[0]


def diagnose(
    directory: Path, environ: Mapping[str, str], console: Console, *, explain: bool = False
) -> tuple[ExitCode, str]:
    """Tell the reader about this machine; return the exit code, and the text without colours."""
    from ci_toolkit.reports import doctor

    console.say("Trying what this machine can do")
    diagnosis = _diagnosis(directory, environ)
    width, colour = deliver.screen(environ, console)
    console.result(doctor.to_text(diagnosis, width=width, colour=colour, explain=explain))
    plain = doctor.to_text(diagnosis, width=width, colour=False, explain=explain)
    return ExitCode.FINE if diagnosis.chosen else ExitCode.HOST, plain


def _diagnosis(directory: Path, environ: Mapping[str, str]) -> "Diagnosis":
    # Loaded here: rich and the runners would slow down --help.
    from ci_toolkit.ci.detect import detect
    from ci_toolkit.host import hardware
    from ci_toolkit.host.probe import probe
    from ci_toolkit.reports.doctor import Diagnosis
    from ci_toolkit.runners.choose import ON_REQUEST, verdicts

    capabilities = probe(directory=directory, environ=environ, thorough=True)
    return Diagnosis(
        job=detect(environ),
        hardware=hardware.read(),
        capabilities=capabilities,
        runners=verdicts(capabilities),
        on_request=verdicts(capabilities, ON_REQUEST),
    )
