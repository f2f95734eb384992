"""`ci-toolkit convert`: a disk image in the formats that people download."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ci_toolkit.cli.options import console_of
from ci_toolkit.errors import ExitCode
from ci_toolkit.formats.table import FORMATS, find

if TYPE_CHECKING:
    from ci_toolkit.formats.convert import Conversion

_FORGES = ("github", "gitlab")


@click.command(name="convert")
@click.argument("image", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--to",
    required=True,
    metavar="FORMAT[,FORMAT…]",
    help="; ".join(f"{one.name}: {one.told}" for one in FORMATS) + ".",
)
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="DIR", help="Where the results go; by default beside IMAGE."
)
@click.option(
    "--fit", type=click.Choice(_FORGES), help="Refuse what a forge does not take: 2 GiB a file on GitHub, 5 on GitLab."
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout instead of text.")
@click.pass_obj
def command(
    obj: dict[str, object], /, image: Path, to: str, output: Path | None, fit: str | None, as_json: bool
) -> int:
    """Convert IMAGE, a raw disk or a qcow2, VMDK, VDI, VHD or VHDX, to other formats.

    The same disk gives the same bytes, whenever and wherever. Beside each result lies its SHA-256, for `sha256sum -c`.
    Exit code 1 where a result came out larger than --fit allows, 6 where IMAGE lacks what a format needs.
    """
    from ci_toolkit.formats.convert import convert

    console = console_of(obj)
    wanted = find(to)
    found = convert(image, wanted, output or image.parent, console, fit)
    console.result(_json(image, found) if as_json else text(found))
    for result in found.beyond:
        console.warn(f"{result.path} is larger than {fit} takes for one file", hint=found.advice)
    return ExitCode.POLICY if found.beyond else ExitCode.FINE


def text(found: "Conversion") -> str:
    """Return a line for each result: where it is, its size, and how long it took."""
    from ci_toolkit.formats.fit import shown

    rows = [(str(result.path), shown(result.size), f"{result.seconds:.1f} s") for result in found.results]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(f"{path:{widths[0]}}  {size:>{widths[1]}}  {time:>{widths[2]}}" for path, size, time in rows)


def _json(image: Path, found: "Conversion") -> str:
    results = [
        {
            "format": result.format.name,
            "path": str(result.path),
            "size": result.size,
            "seconds": round(result.seconds, 3),
            "fits": result not in found.beyond,
            "files": [{"path": file.path, "size": file.size, "sha256": file.sha256} for file in result.files],
        }
        for result in found.results
    ]
    told = {"schema": 1, "image": str(image), "digest": found.digest, "size": found.size, "results": results}
    return json.dumps(told, indent=2)
