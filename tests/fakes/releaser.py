"""Releases whose builds take no time, and a program that makes them and is killed by itself in all places.

    python releaser.py PLACE < call.json

makes one release for each place at which it can be killed: a request, before and after it, and a file that gets its
name. Each is of a day of its own, is killed at that place, goes on, and is made once more without disturbance, into
PLACE/reference. What is printed are the versions, as JSON. With a file "trust" Sigstore signs each.
"""

import hashlib
import importlib
import io
import json
import os
import signal
import struct
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import requests
import shelves

from ci_toolkit.compare.comparison import Verdict
from ci_toolkit.console import Console
from ci_toolkit.forges.patience import Patience
from ci_toolkit.mkosi.build import Artefact, Build
from ci_toolkit.mkosi.manifest import Package
from ci_toolkit.publish import signing, targets
from ci_toolkit.publish.target import Target
from ci_toolkit.releasing import run
from ci_toolkit.releasing.run import Outcome, Wanted
from ci_toolkit.reports.report import Report

FIRST = date(2026, 1, 5)
_LIMIT = 200


def building(word: str, built: list[str] | None = None, verdict: Verdict = Verdict.IDENTICAL) -> run.Build:
    """Return what builds an image whose bytes come from WORD, with a container image beside it."""

    def build(name: str, output: Path) -> Report:
        if built is not None:
            built.append(name)
        output.mkdir(exist_ok=True)
        data = _disk(f"{name} {word}".encode() * 1024)
        (output / f"{name}.raw").write_bytes(data)
        (output / "first.log").write_text("a log")
        if not (output / f"{name}.oci").exists():
            shelves.layout(output / f"{name}.oci", data)
        artefact = Artefact(name=f"{name}.raw", size=len(data), sha256=hashlib.sha256(data).hexdigest())
        packages = (Package(name="base-files", architecture="amd64", version=word),)
        one = Build(
            image=artefact.name,
            directory=output,
            artefacts=(artefact,),
            seconds=1.0,
            log=output / "first.log",
            packages=packages,
        )
        return Report(title=name, verdict=verdict, comparison=None, builds=(one, one), facts=())

    return build


def _disk(content: bytes) -> bytes:
    """Return a disk whose partition table names one partition, which holds CONTENT in whole sectors."""
    content += bytes(-len(content) % 512)
    # Status, first and last sector as a geometry, type, and both as numbers.
    partition = struct.pack("<B3sB3sII", 0, b"", 0x83, b"", 1, len(content) // 512)
    return bytes(446) + partition + bytes(48) + b"\x55\xaa" + content


def release(
    wanted: Wanted, to: Sequence[Target], build: run.Build | None = None, start: run.Start | None = None
) -> Outcome:
    """Make a release, and say nothing."""
    build = build or building(wanted.day.isoformat())
    return run.run(wanted, to, build, start or (lambda _image, _output: True), Console(narration=io.StringIO()))


def _count(tick: Callable[[], None]) -> None:
    """Call TICK wherever something becomes different for others."""
    ask, replace, rename = requests.Session.request, Path.replace, Path.rename

    def asking(*arguments: Any, **named: Any) -> requests.Response:
        tick()
        answer = ask(*arguments, **named)
        tick()
        return answer

    def replacing(path: Path, target: Path) -> Path:
        tick()
        return replace(path, target)

    def renaming(path: Path, target: Path) -> Path:
        tick()
        return rename(path, target)

    requests.Session.request = asking  # type: ignore[method-assign]
    Path.replace = replacing  # type: ignore[method-assign, assignment]
    Path.rename = renaming  # type: ignore[method-assign, assignment]


def in_child(work: Callable[[], object]) -> int:
    """Do WORK in a process of its own, and return how it ended (as os.waitpid tells it)."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except Exception:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def _killed_at(number: int, work: Callable[[], object]) -> Callable[[], object]:
    left = [number]

    def tick() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def killed() -> object:
        _count(tick)
        return work()

    return killed


def main(place: Path, call: dict[str, Any]) -> list[str]:
    """Make releases until one is made to its end without being killed."""
    patience = Patience(sleep=lambda _: None, spread=lambda: 0.0)
    keyless = None
    if "trust" in call:
        importlib.import_module("sigstore.sign")  # once, and not in each child
        keyless = signing.keyless_of(call["environ"], Path(call["trust"]), patience)
    versions: list[str] = []
    for number in range(1, _LIMIT, call["stride"]):
        day = FIRST + timedelta(days=14 * number)

        def make(to: str, name: str, day: date = day, *, resume: bool = False) -> Outcome:
            wanted = Wanted(
                images=("cloud",),
                formats=(),
                output=place / name,
                day=day,
                resume=resume,
                force=True,
                keyless=keyless,
            )
            return release(wanted, [targets.find(to, call["environ"], patience)])

        ended = in_child(_killed_at(number, lambda: make(call["target"], "output")))
        if ended == 0:
            return versions
        assert os.WIFSIGNALED(ended), ended
        assert in_child(lambda: make(call["target"], "output", resume=True)) == 0
        make(f"dir:{place / 'reference'}", "undisturbed")
        versions.append(f"{day:%Y.%m.%d}")
    return versions


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), json.load(sys.stdin))))
