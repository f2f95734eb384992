"""`ci-toolkit prune`: remove the releases, and the artifacts of runs, that are not kept."""

import click

from ci_toolkit.cli.options import console_of, environ_of
from ci_toolkit.cli.targets import keep_options, patient, policy, today
from ci_toolkit.errors import ExitCode, UsageError
from ci_toolkit.publish import targets


@click.command(name="prune")
@click.option(
    "--to", multiple=True, required=True, metavar="TARGET",
    help=f"{targets.TOLD}; {targets.ARTIFACTS}[:OWNER/NAME], what GitHub's runs uploaded; any number.",
)  # fmt: skip
@keep_options
@click.option("--name", "pattern", metavar="PATTERN", help="The artifacts that are meant [ci-toolkit-*].")
@click.option("--dry-run", is_flag=True, help="Tell what would be removed, and remove nothing.")
@click.pass_obj
def command(
    obj: dict[str, object],
    /,
    to: tuple[str, ...],
    keep: int | None,
    keep_days: int | None,
    keep_labelled: bool,
    pattern: str | None,
    dry_run: bool,
) -> int:
    """Remove the releases of each target that neither --keep nor --keep-days keeps.

    Never removed are the latest one, those with a label, and what has no version for a name. On GitHub and GitLab the
    tag of the repository stays. Of artifacts those of each name are counted by themselves; never removed are the latest
    one, and those of a run that is still going on.
    """
    from ci_toolkit.publish import artifacts, prune

    environ, console = environ_of(obj), console_of(obj)
    wanted = policy(keep, keep_days, keep_labelled)
    if wanted.keeps_all:
        raise UsageError("nothing says which releases are kept", hint="Give --keep N, --keep-days DAYS, or both.")
    day, patience = today(environ), patient(environ, console)
    found = [
        targets.artifacts(one, environ, patience, pattern or artifacts.PATTERN) or targets.find(one, environ, patience)
        for one in dict.fromkeys(to)
    ]
    if pattern is not None and not any(isinstance(one, artifacts.Artifacts) for one in found):
        raise UsageError("--name is of artifacts alone", hint=f"Name them with --to {targets.ARTIFACTS}.")
    for place in found:
        if isinstance(place, artifacts.Artifacts):
            decided = prune.prune_artifacts(place, wanted, day, console, dry=dry_run)
        elif dry_run:
            decided = prune.decide(place, wanted, day)
        else:
            decided = prune.prune(place, wanted, day, console)
        none = "no artifact" if isinstance(place, artifacts.Artifacts) else "no release"
        console.result("\n".join(f"{place.name} {decision}" for decision in decided) or f"{place.name}: {none}")
    return ExitCode.FINE
