"""A shell where a build runs, with all that the build would find there, and the build itself at hand."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ci_toolkit.console import Console
from ci_toolkit.host.environment import NORMAL
from ci_toolkit.mkosi import command
from ci_toolkit.process import Command
from ci_toolkit.runners.runner import INSIDE
from ci_toolkit.site import Wishes, open_site

# What starts mkosi as the toolkit does; what is said to it goes to mkosi before its verb.
BUILD: Final = INSIDE / "build"
_SHELL: Final = "if command -v bash > /dev/null; then exec bash --norc; else exec sh; fi"


def enter(wishes: Wishes, environ: Mapping[str, str], console: Console) -> int:
    """Open a shell at the caller's terminal, and return its exit code. Raises what keeps a build from being started."""
    with open_site(wishes, environ, console) as site:
        attempt = site.begin(NORMAL, "first")
        call = command.build(attempt.call)
        script = site.workshop.scratch / "given" / BUILD.name
        script.write_text(_script(call), encoding="utf-8")
        script.chmod(0o755)
        attempt.sandbox.copy_in(script, BUILD)
        console.say(f"{BUILD} builds the image, {BUILD} --debug-shell opens a shell in it where a script fails")
        console.say("All that is here goes with this shell; nothing reaches the output")
        variables = {**call.environment, "TERM": environ.get("TERM", "dumb"), "PS1": r"[build] \w \$ "}
        argv = ("sh", "-c", _SHELL)
        return attempt.sandbox.attach(Command(argv=argv, environment=variables, directory=call.directory or Path("/")))


def _script(call: Command) -> str:
    *words, verb = call.argv
    return f'#!/bin/sh\nexec {shlex.join(words)} "$@" {shlex.quote(verb)}\n'
