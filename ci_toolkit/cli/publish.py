"""`ci-toolkit publish`: the files of a directory, with checksums and a signature, as a release."""

from dataclasses import replace
from pathlib import Path

import click

from ci_toolkit.cli import keyless
from ci_toolkit.cli.options import console_of, environ_of
from ci_toolkit.cli.targets import opened, target_option, today
from ci_toolkit.errors import ExitCode, UsageError


@click.command(name="publish")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@target_option
@click.option("--version", "version", metavar="VERSION", help="What the release is called [YYYY.MM.DD of today].")
@click.option("--notes", type=click.Path(path_type=Path, dir_okay=False), help="A file with the notes, in Markdown.")
@keyless.signing_options
@click.option("--dry-run", is_flag=True, help="Tell what would be published, and write nothing.")
@click.pass_obj
def command(
    obj: dict[str, object],
    /,
    directory: Path,
    to: tuple[str, ...],
    version: str | None,
    notes: Path | None,
    sigstore: bool,
    trust_config: Path | None,
    dry_run: bool,
) -> int:
    """Publish the files of DIRECTORY: all that is missing is uploaded, unseen, to every target, and then shown.

    SHA256SUMS is written into DIRECTORY, SHA256SUMS.asc where CI_TOOLKIT_SIGNING_KEY holds a key, and with --sigstore
    SHA256SUMS.sigstore.json. What is there already, with the same digest, is not uploaded again, so that the same call
    goes on with what broke off.
    """
    from ci_toolkit.ci.detect import detect
    from ci_toolkit.publish import checksums, deliver, files, signing
    from ci_toolkit.publish.files import Release
    from ci_toolkit.records import openpgp
    from ci_toolkit.releases import version as versions

    environ, console = environ_of(obj), console_of(obj)
    name = version or versions.make(versions.SCHEMES[0], today(environ), 0)
    if versions.day_of(name) is None:
        raise UsageError(f"{name!r} is no version", hint=f"Shapes: {', '.join(versions.SCHEMES)}.")
    targets = opened(to, environ, console)
    key = openpgp.secret_key(environ)
    how = keyless.signing(sigstore, trust_config, environ, console)
    with console.step("Reading"):
        found, containers = files.gather(directory)
    text = notes.read_text(encoding="utf-8", errors="replace") if notes is not None else ""
    release = Release(version=name, files=found, containers=containers, notes=text, commit=detect(environ).commit)
    deliver.check(release, targets)
    if dry_run:
        size = f"{release.size:,} bytes"
        console.result("\n".join(f"{name}: {len(found)} files, {size}, to {target.name}" for target in targets))
        return ExitCode.FINE
    release = release.adding(checksums.write(found, directory))
    # Signatures of an older list have gone with it.
    release = replace(release, files=tuple(one for one in release.files if one.path.is_file()))
    if key is not None:
        release = release.adding(signing.signed(directory, key, console.say))
    if how is not None:
        release = release.adding(signing.signed_keyless(directory, how, console.say)[0])
    for target in targets:
        with console.step(f"Upload to {target.name}"):
            deliver.upload(release, target, console)
    places = [deliver.publish(release, target, console) for target in targets]
    console.result("\n".join(places))
    return ExitCode.FINE
