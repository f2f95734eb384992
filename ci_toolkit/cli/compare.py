"""`ci-toolkit compare`: two images, every difference, and its cause."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ci_toolkit.cli import deliver
from ci_toolkit.cli.options import console_of, environ_of, from_settings
from ci_toolkit.errors import UsageError

if TYPE_CHECKING:
    from ci_toolkit.compare.walk import Look
    from ci_toolkit.reports.report import Report

_STDOUT: Final = (Path("-"), Path("/dev/stdout"))


@click.command(name="compare")
@click.argument("a", type=click.Path(path_type=Path, readable=False))
@click.argument("b", type=click.Path(path_type=Path, readable=False))
@click.option("--json", type=click.Path(path_type=Path), metavar="FILE", help='Write JSON to FILE, "-" for stdout.')
@click.option("--markdown", type=click.Path(path_type=Path), metavar="FILE", help="Write Markdown to FILE, or stdout.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write one HTML page to FILE, or stdout.")
@click.option("--digests", is_flag=True, help="Tell the SHA-256 of A and B too; that takes longer than comparing them.")
@click.option(
    "--deep",
    is_flag=True,
    help="Let diffoscope, if it is installed, look into the differing files that no rule explains: the first 20, each "
    "for 60 seconds and in 2 GB of memory, and none that may be a secret.",
)
@from_settings("fail-on")
@click.pass_obj
def command(
    obj: dict[str, object],
    /,
    a: Path,
    b: Path,
    digests: bool,
    deep: bool,
    fail_on: str | None,
    **files: Path | None,
) -> int:
    """Compare A and B and explain every difference.

    Each is a disk image, a file system, an archive, an executable, a directory or any other file. What is found in
    one is looked into as well. Nothing is mounted, and no privilege is needed. Exit code 1 where they differ, 6 where
    one of them could not be read.
    """
    from ci_toolkit import settings

    environ, console = environ_of(obj), console_of(obj)
    wanted = {kind: path for kind, path in files.items() if path is not None}
    to_stdout = [kind for kind, path in wanted.items() if path in _STDOUT]
    if len(to_stdout) > 1:
        raise UsageError(f"{' and '.join(to_stdout)} cannot both go to stdout", hint="Name a file for one of them.")
    to_files = {kind: path for kind, path in wanted.items() if path not in _STDOUT}
    for path in to_files.values():
        deliver.check_file(path)
    report = _compare(a, b, digests=digests, hashed="json" in wanted, environ=environ if deep else None)
    if not to_stdout:
        deliver.show(report, environ, console)
    for kind in to_stdout:
        console.result(deliver.render(report, kind))
    for kind, path in to_files.items():
        deliver.write_file(path, deliver.render(report, kind))
    return deliver.exit_code(report, fail_on or settings.value("fail-on", environ))


def _compare(a: Path, b: Path, *, digests: bool, hashed: bool, environ: Mapping[str, str] | None) -> "Report":
    from ci_toolkit.compare import walk

    look = _look(environ) if environ is not None else None
    comparison = walk.compare(a, b, digests=digests, hashed=hashed, look=look, meanwhile=_load)
    from ci_toolkit.compare import explain
    from ci_toolkit.compare.facts import Facts
    from ci_toolkit.reports.report import Report

    findings = explain.explain(comparison.differences, Facts())
    return Report(
        title=a.name if a.name == b.name else f"{a.name} and {b.name}",
        verdict=comparison.verdict,
        comparison=comparison,
        findings=findings,
        explained_bytes=explain.explained_bytes(findings),
    )


def _load() -> None:
    """Load what tells of differences, while the images are still compared: two that are the same need none of it."""
    from ci_toolkit.compare import explain  # noqa: F401
    from ci_toolkit.reports import terminal  # noqa: F401


def _look(environ: Mapping[str, str]) -> "Look":
    from ci_toolkit.compare import deep
    from ci_toolkit.compare.facts import Facts

    return deep.Diffoscope(program=deep.find(environ), facts=Facts()).look
