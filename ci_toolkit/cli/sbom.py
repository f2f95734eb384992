"""`ci-toolkit sbom`: what an image holds and what it was made from, in the words of others."""

from pathlib import Path

import click

from ci_toolkit.cli import deliver
from ci_toolkit.cli.options import console_of


@click.command(name="sbom")
@click.argument("record", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--format", "form", type=click.Choice(("spdx", "cyclonedx", "provenance", "packages")), default="spdx",
    help="SPDX 2.3, CycloneDX 1.6, an in-toto statement with SLSA provenance, or a line for each package. [spdx]",
)  # fmt: skip
@click.option(
    "--output", type=click.Path(path_type=Path, readable=False), metavar="FILE", help="Write to FILE, not to stdout."
)
@click.pass_obj
def command(obj: dict[str, object], /, record: Path, form: str, output: Path | None) -> None:
    """Tell what is in the image of RECORD, a build-record.json or the directory that holds one.

    The same record always gives the same bytes. Exit code 6 where it cannot be read.
    """
    from ci_toolkit.records import reading
    from ci_toolkit.records.told import FORMATS

    text = FORMATS[form][0](reading.load(record))
    if output is None:
        console_of(obj).result(text)
    else:
        deliver.write_file(output, text)
