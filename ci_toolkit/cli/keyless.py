"""The options of Sigstore: for the verbs that sign, and for those that check."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ci_toolkit.console import Console
from ci_toolkit.errors import UsageError

if TYPE_CHECKING:
    from ci_toolkit.publish.signing import Keyless
    from ci_toolkit.records.keyless import Expected

Decorated = Callable[..., Any]

_TRUST = click.option(
    "--trust-config", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Another Sigstore than the public one: a ClientTrustConfig, as JSON.",
)  # fmt: skip


def signing_options(function: Decorated) -> Decorated:
    """Add the options by which Sigstore signs."""
    text = "Sign SHA256SUMS by Sigstore, without a key: as who the token of the job says."
    return click.option("--sigstore", is_flag=True, help=text)(_TRUST(function))


def checking_options(function: Decorated) -> Decorated:
    """Add the options by which a signature of Sigstore is checked."""
    for option in (
        _TRUST,
        click.option(
            "--issuer", metavar="URL",
            help="Who knows that identity, such as https://token.actions.githubusercontent.com.",
        ),
        click.option(
            "--identity", metavar="ID",
            help="Who has to have signed SHA256SUMS by Sigstore, exactly: a workflow's address with branch, for one.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def signing(
    sigstore: bool, trust_config: Path | None, environ: Mapping[str, str], console: Console
) -> "Keyless | None":
    """Return how Sigstore signs; None where it does not. Raises as signing.keyless_of does."""
    from ci_toolkit.forges.patience import Patience
    from ci_toolkit.publish.signing import keyless_of

    if sigstore:
        return keyless_of(environ, trust_config, Patience(tell=console.say))
    if trust_config is not None:
        raise UsageError("--trust-config is of no use without --sigstore", hint="Give both, or neither.")
    return None


def expected(identity: str | None, issuer: str | None, trust_config: Path | None) -> "Expected | None":
    """Return who has to have signed by Sigstore; None where nobody has. Raises UsageError for one half of it."""
    from ci_toolkit.records.keyless import Expected, Identity

    if identity and issuer:
        return Expected(by=Identity(name=identity, issuer=issuer), trust=trust_config)
    if identity is None and issuer is None and trust_config is None:
        return None
    raise UsageError(
        "a signature by Sigstore is checked by --identity and --issuer together: a name needs who knows it",
        hint="GitHub's issuer is https://token.actions.githubusercontent.com, GitLab's the address of the instance.",
    )
