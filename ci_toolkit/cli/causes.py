"""`ci-toolkit causes`: every cause that the toolkit knows by name."""

import click

from ci_toolkit.cli.options import console_of
from ci_toolkit.errors import ExitCode


@click.command(name="causes")
@click.option("--json", "as_json", is_flag=True, help="Write all that is known of each cause as JSON.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Write all that is known as docs/causes.md has it.")
@click.argument("identifier", required=False)
@click.pass_obj
def command(obj: dict[str, object], identifier: str | None, as_json: bool, as_markdown: bool) -> int:
    """List every cause by which differences are explained, a line each; IDENTIFIER tells of one in full."""
    from ci_toolkit.reports import causes

    if as_json and as_markdown:
        raise click.UsageError("--json and --markdown exclude each other")
    rules = causes.chosen(identifier)
    if not rules:
        raise click.UsageError(f"no cause is called {identifier!r}; `ci-toolkit causes` lists them all")
    if as_json:
        text = causes.to_json(rules)
    elif as_markdown:
        text = causes.to_markdown(rules)
    elif identifier is not None:
        text = causes.told(rules[0])
    else:
        text = causes.lines(rules)
    console_of(obj).result(text)
    return ExitCode.FINE
