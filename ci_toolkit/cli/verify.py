"""`ci-toolkit verify`: two builds in two surroundings, compared and explained."""

from dataclasses import replace
from pathlib import Path

import click

from ci_toolkit.cli import baselines, deliver, rehearse
from ci_toolkit.cli.options import Building, console_of, environ_of, from_settings, wishes


@click.command(name="verify", cls=Building)
@click.argument("directory", type=click.Path(path_type=Path), required=False)
@from_settings("profile", "runner", "output", "cache", "vary", "parallel", "time-limit", "log", "fail-on", "baseline")
@click.option("--report-dir", type=click.Path(path_type=Path), help="Where the report's files go [the output].")
@click.option("--deep", is_flag=True, help="Let diffoscope look into what no rule explains, as compare --deep does.")
@rehearse.options
@click.pass_obj
def command(
    obj: dict[str, object],
    /,
    directory: Path | None,
    report_dir: Path | None,
    deep: bool,
    dry_run: bool,
    as_json: bool,
    mkosi_arguments: tuple[str, ...],
    **given: str | None,
) -> int:
    """Build the image that DIRECTORY defines twice and explain any difference; what follows "--" goes to mkosi."""
    from ci_toolkit import pipeline, settings

    rehearse.check(dry_run=dry_run, as_json=as_json)
    environ, console = environ_of(obj), console_of(obj)
    asked = replace(wishes(directory, given, mkosi_arguments, environ), deep=deep)
    fail_on = given.get("fail_on") or settings.value("fail-on", environ)
    if dry_run:
        return rehearse.rehearse(asked, environ, console, twice=True, as_json=as_json)
    target = report_dir or asked.output
    if not target.resolve().is_relative_to(asked.output.resolve()):  # the output is made anew at the end
        deliver.check_directory(target)
    base = given.get("baseline") or settings.value("baseline", environ)
    (report,) = baselines.apply([pipeline.verify(asked, environ, console)], base, console)
    deliver.show(report, environ, console)
    deliver.check_directory(target)
    deliver.write(report, target)
    return deliver.exit_code(report, fail_on)
