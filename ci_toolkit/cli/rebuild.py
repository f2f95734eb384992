"""`ci-toolkit rebuild`: build a published image again from its record, and say whether it is the same."""

from pathlib import Path

import click

from ci_toolkit.cli import deliver, keyless
from ci_toolkit.cli.options import Building, console_of, environ_of, from_settings, wishes
from ci_toolkit.errors import ExitCode

_OUTPUT = "rebuild"


@click.command(name="rebuild", cls=Building)
@click.argument("record", metavar="RECORD|URL")
@click.option("--sha256", metavar="DIGEST", help="The SHA-256 that the record has to have.")
@click.option(
    "--key", "given_keys", multiple=True, metavar="FILE|FINGERPRINT",
    help="The public key that has to have signed the record or the SHA256SUMS beside it; again for others.",
)  # fmt: skip
@keyless.checking_options
@click.option("--source", metavar="DIR|URL", help="Take the commit from this repository, not from the record's.")
@from_settings("runner", "cache", "time-limit", "log")
@click.option("--output", metavar="DIR", help=f"Where the image, its record and the verdict go. [{_OUTPUT}]")
@click.pass_obj
def command(
    obj: dict[str, object],
    /,
    record: str,
    sha256: str | None,
    given_keys: tuple[str, ...],
    identity: str | None,
    issuer: str | None,
    trust_config: Path | None,
    source: str | None,
    mkosi_arguments: tuple[str, ...],
    **given: str | None,
) -> int:
    """Build the image of RECORD, a build-record.json or where one lies, again: the same commit, snapshot and container.

    The verdict goes to rebuild-verdict.json in the output, signed where CI_TOOLKIT_SIGNING_KEY has a key. Exit code 0
    where the image is the same, 1 where it differs, 6 where the record or its commit cannot be had. What follows "--"
    goes to mkosi in place of the record's own arguments.
    """
    from ci_toolkit import rebuilding
    from ci_toolkit.rebuilding import Asked
    from ci_toolkit.records import openpgp, verdict

    environ, console = environ_of(obj), console_of(obj)
    if sha256 is not None:
        rebuilding.check(sha256)
    key = openpgp.secret_key(environ)
    if key is not None:
        openpgp.sign(b"", key)  # refused now, not when all is built
    # The inputs of a CI say what to build of its own; here the record does.
    own = {name: value for name, value in environ.items() if not name.endswith(("_MKOSI_ARGS", "_MKOSI-ARGS"))}
    asked = Asked(
        where=record,
        wishes=wishes(Path(), {**given, "output": given.get("output") or _OUTPUT, "profile": None}, (), own),
        sha256=sha256,
        keys=openpgp.keys(given_keys, environ),
        expected=keyless.expected(identity, issuer, trust_config),
        source=source,
        arguments=mkosi_arguments or None,
    )
    rebuilt = rebuilding.rebuild(asked, environ, console)
    text = verdict.render(rebuilt.verdict)
    signature = None if key is None else openpgp.sign(text.encode(), key)
    output = asked.wishes.output
    if rebuilt.report is not None:
        deliver.show(rebuilt.report, environ, console)
        deliver.write(rebuilt.report, output)
    deliver.write_file(output / verdict.NAME, text)
    if signature is not None:
        deliver.write_file(output / f"{verdict.NAME}.asc", signature.armoured)
    console.result(rebuilt.verdict.sentence)
    return ExitCode.FINE if rebuilt.verdict.same else ExitCode.POLICY
