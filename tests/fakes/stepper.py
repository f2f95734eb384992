"""A program that makes one release to several targets and is killed around one of its steps, then goes on with it.

    python stepper.py PLACE < call.json

The call has the targets, their environment, the day, the secret key, the number of a step, and whether the step was
written down before the kill. Another release of that day is made without disturbance into PLACE/reference. What is
printed is the name of the step and the version, as JSON.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from releaser import building, in_child, release

from ci_toolkit.forges.patience import Patience
from ci_toolkit.formats import table
from ci_toolkit.publish import targets
from ci_toolkit.publish.target import Target
from ci_toolkit.records.openpgp import Key
from ci_toolkit.releases.retention import Policy
from ci_toolkit.releasing import state
from ci_toolkit.releasing.run import Ending, Wanted
from ci_toolkit.releasing.state import State


def _killed_around(number: int, *, written: bool) -> None:
    """Let this process be killed when the step of that NUMBER, from 1 on, was done, before or after it is written."""
    save = state.save
    seen: list[str] = []

    def saving(found: State, directory: Path) -> None:
        # The first one writes down what the release is, before there was any step.
        if len(seen) == number and not written:
            os.kill(os.getpid(), signal.SIGKILL)
        save(found, directory)
        if len(seen) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        seen.append(found.version)

    state.save = saving  # type: ignore[assignment]


def main(place: Path, call: dict[str, Any]) -> dict[str, str]:
    """Make the release, be killed, go on, and make the reference."""
    patience = Patience(sleep=lambda _: None, spread=lambda: 0.0)
    day = date.fromisoformat(call["day"])
    wanted = Wanted(
        images=("cloud",),
        formats=table.find("vdi"),
        firmware=("uefi",),
        output=place / "output",
        day=day,
        policy=Policy(releases=2),
        key=Key(armoured=call["key"]),
        commit="c" * 40,
    )

    def find(written: Sequence[str]) -> list[Target]:
        return [targets.find(one, call["environ"], patience) for one in written]

    def make(wanted: Wanted, to: Sequence[str]) -> None:
        ended = release(wanted, find(to), building(day.isoformat())).ending
        assert ended is Ending.RELEASED, ended

    def killed() -> None:
        _killed_around(call["number"], written=call["written"])
        make(wanted, call["targets"])

    ended = in_child(killed)
    assert os.WIFSIGNALED(ended), ended
    assert os.WTERMSIG(ended) == signal.SIGKILL
    done = state.load(wanted.output)
    assert done is not None
    assert len(done.done) == call["number"] - (not call["written"])
    assert in_child(lambda: make(replace(wanted, resume=True), call["targets"])) == 0
    undisturbed = replace(wanted, output=place / "undisturbed", key=None)
    make(undisturbed, [f"dir:{place / 'reference'}"])
    steps = wanted.steps(find(call["targets"]))
    return {"step": steps[call["number"] - 1].name, "steps": str(len(steps)), "version": done.version}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), json.load(sys.stdin))))
