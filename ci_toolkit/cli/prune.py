"""`ci-toolkit prune`: remove the releases that are not kept."""

import click

from ci_toolkit.cli.options import console_of, environ_of
from ci_toolkit.cli.targets import keep_options, opened, policy, target_option, today
from ci_toolkit.errors import ExitCode, UsageError


@click.command(name="prune")
@target_option
@keep_options
@click.option("--dry-run", is_flag=True, help="Tell what would be removed, and remove nothing.")
@click.pass_obj
def command(
    obj: dict[str, object],
    /,
    to: tuple[str, ...],
    keep: int | None,
    keep_days: int | None,
    keep_labelled: bool,
    dry_run: bool,
) -> int:
    """Remove the releases of each target that neither --keep nor --keep-days keeps.

    Never removed are the latest one, those with a label, and what has no version for a name. On GitHub and GitLab the
    tag of the repository stays.
    """
    from ci_toolkit.publish import prune

    environ, console = environ_of(obj), console_of(obj)
    wanted = policy(keep, keep_days, keep_labelled)
    if wanted.keeps_all:
        raise UsageError("nothing says which releases are kept", hint="Give --keep N, --keep-days DAYS, or both.")
    day = today(environ)
    for target in opened(to, environ, console):
        decided = prune.decide(target, wanted, day) if dry_run else prune.prune(target, wanted, day, console)
        console.result("\n".join(f"{target.name} {decision}" for decision in decided) or f"{target.name}: no release")
    return ExitCode.FINE
