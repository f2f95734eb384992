"""The command itself: finds the verb, turns errors into exit codes, and is the only reader of the environment."""

import gc
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Final

import click

from ci_toolkit.console import Console, Fold
from ci_toolkit.errors import FULL, ExitCode, ToolkitError

# Verb -> (module, what it does). Modules are loaded when their verb is called, so that --help stays quick.
VERBS: Final[Mapping[str, tuple[str, str]]] = {
    "verify": (
        "ci_toolkit.cli.verify",
        "Build an image twice, in two surroundings, and explain any difference.",
    ),
    "build": ("ci_toolkit.cli.build", "Build an image without privileges, with the host kept out of it."),
    "shell": ("ci_toolkit.cli.shell", "Open a shell where an image would be built, to see why it fails."),
    "compare": ("ci_toolkit.cli.compare", "Compare two images and explain every difference."),
    "convert": ("ci_toolkit.cli.convert", "Convert a disk image to the formats that people download."),
    "boot": ("ci_toolkit.cli.boot", "Start an image in a virtual machine, and run checks in it."),
    "rebuild": ("ci_toolkit.cli.rebuild", "Build a published image again from its record: is it the same?"),
    "verify-release": ("ci_toolkit.cli.verify_release", "Check a release: digests, signature, and who rebuilt it."),
    "sbom": ("ci_toolkit.cli.sbom", "Tell what is in an image: SPDX, CycloneDX, SLSA provenance, a list."),
    "release": (
        "ci_toolkit.cli.release",
        "Build, verify, sign and publish images, when a release is due.",
    ),
    "publish": ("ci_toolkit.cli.publish", "Publish files as a release, with checksums and a signature."),
    "prune": ("ci_toolkit.cli.prune", "Remove the releases, and the artifacts of runs, that are not kept."),
    "comment": ("ci_toolkit.cli.comment", "Put a report on the pull or merge request."),
    "doctor": (
        "ci_toolkit.cli.doctor",
        "Tell what this machine can do, what leaks from it, and which runner fits.",
    ),
    "cache-key": (
        "ci_toolkit.cli.cache_key",
        "Print where a CI finds fetched packages, and the key to keep them under.",
    ),
    "matrix": ("ci_toolkit.cli.matrix", "List every image that a directory defines, as a matrix for a CI."),
    "causes": ("ci_toolkit.cli.causes", "List every cause by which differences are explained."),
    "action": ("ci_toolkit.cli.action", "Do what the CI's variables ask for: the entrypoint of the action."),
    "seccomp": ("ci_toolkit.cli.seccomp", "Print the seccomp profile under which a container may build."),
}

# Ctrl-C, a job that is cancelled, a terminal that is closed.
_INTERRUPTS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# Python's own are 700, 10 and 10.
_SELDOM: Final = (200_000, 20, 50)


class Verbs(click.Group):
    """The verbs of VERBS, each loaded when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, _ = VERBS[cmd_name]
        command = importlib.import_module(module).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in VERBS.items()])


@click.group(cls=Verbs, no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ci-toolkit", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Build operating-system images with mkosi without privileges, and prove that they are reproducible."""
    ctx.ensure_object(dict)


def environ() -> Mapping[str, str]:
    """Return the environment of this process; everybody else is handed it."""
    return dict(os.environ)


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; every error of ours becomes one line and a hint."""
    from ci_toolkit.ci.detect import detect

    # An image has a million records that stay until the end: each further search for cycles would go through them all.
    gc.set_threshold(*_SELDOM)
    variables = environ()
    fold = detect(variables).provider.fold
    console = Console(fold, colour=(fold is Fold.GITLAB or sys.stderr.isatty()) and not _is_plain(variables))
    try:
        with _interruptible():
            code = cli.main(
                arguments,
                prog_name="ci-toolkit",
                standalone_mode=False,
                obj={"environ": variables, "console": console},
            )
    except ToolkitError as error:
        console.error(error.message, hint=error.hint)
        return error.exit_code
    except click.UsageError as error:
        return _misused(error, console)
    except (click.Abort, KeyboardInterrupt):
        console.error("interrupted", hint="Nothing was left half-written; run the same command again.")
        return ExitCode.INTERRUPTED
    except OSError as error:
        where = f" {error.filename!r}" if error.filename else ""
        console.error(
            f"{error.strerror or error}{where}", hint="Free space or mend the permissions, then run it again."
        )
        return ExitCode.HOST if error.errno in FULL else ExitCode.UNREADABLE
    return code if isinstance(code, int) else ExitCode.FINE


def _is_plain(variables: Mapping[str, str]) -> bool:
    """Tell whether the reader wants no colours: https://no-color.org, and a terminal that has none."""
    return bool(variables.get("NO_COLOR")) or variables.get("TERM") == "dumb"


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let the first of _INTERRUPTS end the work as Ctrl-C does; later ones must not disturb the tidying-up after it.

    Nor may they change the exit code of a process that is on its way out: after an interrupt they stay disregarded.
    A signal that is ignored when we are started (by nohup, or in a shell's background) stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _INTERRUPTS}
    minded = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    interrupted = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        for number in minded:
            signal.signal(number, _disregard)
        raise KeyboardInterrupt

    for number in minded:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in minded:
            # Python takes handlers of ours away while it ends, and the signal would kill it, but leaves SIG_IGN.
            signal.signal(number, signal.SIG_IGN if interrupted else before[number])


def _disregard(_number: int, _frame: FrameType | None) -> None:
    """Do nothing; unlike SIG_IGN, programs that are started meanwhile do not inherit it."""


def _misused(error: click.UsageError, console: Console) -> ExitCode:
    """Tell of a wrong call through the console: the words of the call may be somebody else's."""
    if error.ctx is not None and error.ctx.command is cli:
        console.say(error.ctx.get_help())
    path = "ci-toolkit" if error.ctx is None else error.ctx.command_path
    console.error(error.format_message(), hint=f"See `{path} --help`.")
    return ExitCode.USAGE
