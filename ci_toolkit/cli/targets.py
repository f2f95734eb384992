"""What the verbs that publish share: their targets, their policy of keeping, and the pipeline's day."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from ci_toolkit.console import Console
from ci_toolkit.publish import targets
from ci_toolkit.releases import version as versions
from ci_toolkit.releases.retention import Policy

if TYPE_CHECKING:
    from ci_toolkit.forges.patience import Patience
    from ci_toolkit.publish.target import Target

# What is never shown; the signing key itself is more than a line, and no program of ours repeats it.
_SECRETS: Final = (
    *("GITHUB_TOKEN", "GITLAB_TOKEN", "CI_JOB_TOKEN", "CI_TOOLKIT_REGISTRY_PASSWORD", "CI_REGISTRY_PASSWORD"),
    *("CI_TOOLKIT_SIGNING_PASSPHRASE", "SIGSTORE_ID_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
)

Decorated = Callable[..., Any]


def target_option(function: Decorated) -> Decorated:
    """Add --to, which may be given more than once."""
    option = click.option("--to", multiple=True, required=True, metavar="TARGET", help=f"{targets.TOLD}; any number.")
    return option(function)


def keep_options(function: Decorated) -> Decorated:
    """Add the options that say which releases are kept."""
    for option in (
        click.option(
            "--keep-labelled/--no-keep-labelled",
            default=True,
            help="Keep what people gave another name: a title, a tag, a link [they are kept].",
        ),
        click.option("--keep-days", type=click.IntRange(min=1), metavar="DAYS", help="Keep those of the last DAYS."),
        click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Keep the newest N releases [all]."),
    ):
        function = option(function)
    return function


def policy(keep: int | None, keep_days: int | None, keep_labelled: bool) -> Policy:
    """Return the policy of the options."""
    return Policy(releases=keep, days=keep_days, labelled=keep_labelled)


def opened(texts: Sequence[str], environ: Mapping[str, str], console: Console) -> "tuple[Target, ...]":
    """Return the targets TEXTS, each once; nothing is sent yet. Tokens are masked from here on. Raises UsageError."""
    patience = patient(environ, console)
    return tuple(targets.find(text, environ, patience) for text in dict.fromkeys(texts))


def patient(environ: Mapping[str, str], console: Console) -> "Patience":
    """Return the patience with forges, once no token of ENVIRON can be shown any more."""
    from ci_toolkit import settings
    from ci_toolkit.forges.patience import Patience

    for secret in (*(environ.get(name, "") for name in _SECRETS), settings.value("token", environ)):
        console.mask(secret)
    return Patience(tell=console.say)


def today(environ: Mapping[str, str]) -> date:
    """Return the day of the pipeline."""
    return versions.fixed_day(environ, datetime.fromtimestamp(time.time(), UTC))
