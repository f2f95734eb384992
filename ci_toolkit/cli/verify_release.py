"""`ci-toolkit verify-release`: check a published release from the outside."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ci_toolkit.cli import deliver, keyless
from ci_toolkit.cli.options import console_of, environ_of
from ci_toolkit.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from ci_toolkit.records.release import Check


@click.command(name="verify-release")
@click.argument("release", metavar="URL|DIR")
@click.option(
    "--key", "given_keys", multiple=True, metavar="FILE|FINGERPRINT",
    help="A public key that may have signed SHA256SUMS; again for others.",
)  # fmt: skip
@keyless.checking_options
@click.option(
    "--quorum",
    type=click.IntRange(0, 100),
    default=0,
    metavar="N",
    help="How many have to have rebuilt each image. [0]",
)
@click.option(
    "--rebuilder-key", "rebuilder_keys", multiple=True, metavar="FILE|FINGERPRINT",
    help="A public key whose verdict counts; again for others.",
)  # fmt: skip
@click.option(
    "--verdict", "given_verdicts", multiple=True, metavar="URL|FILE",
    help="A verdict besides those that verdicts.txt of the release names; again for others.",
)  # fmt: skip
@click.pass_obj
def command(
    obj: dict[str, object],
    /,
    release: str,
    given_keys: tuple[str, ...],
    identity: str | None,
    issuer: str | None,
    trust_config: Path | None,
    quorum: int,
    rebuilder_keys: tuple[str, ...],
    given_verdicts: tuple[str, ...],
) -> int:
    """Check the release at URL or in DIR: SHA256SUMS, its signature, every file, and who rebuilt the images.

    Files are read piece by piece, and nothing is kept. Exit code 1 where something is not as it should be, 6 where
    there is no release.
    """
    from ci_toolkit.records import openpgp, published
    from ci_toolkit.records import release as releases

    environ, console = environ_of(obj), console_of(obj)
    if quorum > len(rebuilder_keys):
        raise UsageError(
            f"--quorum {quorum} takes as many keys of rebuilders, there are {len(rebuilder_keys)}",
            hint="Anybody can make keys: name those that you trust with --rebuilder-key.",
        )
    expected = keyless.expected(identity, issuer, trust_config)
    asked = releases.Asked(
        where=release,
        keys=openpgp.keys(given_keys, environ),
        expected=expected,
        rebuilders=openpgp.keys(rebuilder_keys, environ),
        verdicts=given_verdicts,
        quorum=quorum,
        patience=published.patient(console.say),
    )
    with console.step("Release"):
        checks = releases.check(asked, console.say)
    width, colour = deliver.screen(environ, console)
    console.result(_table(checks, width=width, colour=colour))
    if not given_keys and expected is None:
        console.warn(
            "Nobody vouches for this release: SHA256SUMS comes from where the files come from.",
            hint="Give --key, or --identity and --issuer.",
        )
    return ExitCode.FINE if all(check.good for check in checks) else ExitCode.POLICY


def _table(checks: "tuple[Check, ...]", *, width: int, colour: bool) -> str:
    """Return a line for each check, what is not good last, where it is seen; and a verdict below."""
    column = min(max(len(check.what) for check in checks), max(20, width // 2))
    green, red, plain = ("\x1b[32m", "\x1b[31m", "\x1b[0m") if colour else ("", "", "")
    lines = [
        f"{green if check.good else red}{'ok ' if check.good else 'NO '}{plain} {check.what:{column}}  {check.found}"
        for check in sorted(checks, key=lambda check: not check.good)
    ]
    wrong = sum(not check.good for check in checks)
    words = f"{wrong} of {len(checks)} checks failed" if wrong else f"all {len(checks)} checks passed"
    return "\n".join((*lines, "", words))
