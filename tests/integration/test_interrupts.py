"""A job that is cancelled or killed in the middle of a build: nothing of it may go on, and nothing of it may stay.

docs/reliability.md quotes what is measured here.
"""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ci_toolkit.host import room
from tests.integration import places, small
from tests.integration.places import Place

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("runner")]

MIDDLE = "in the middle\n"
# A program in a session of its own, which no signal to a process group reaches, and one that does not want to end.
SCRIPT = """\
setsid sleep 600 &
(trap '' TERM INT HUP; while :; do sleep 600; done) &
echo in the middle
sleep 600
"""

# The promise is 10 seconds; the machines of a CI may be slow.
SECONDS = 30


@contextmanager
def in_the_middle(place: Place, until: str = MIDDLE, verb: str = "build") -> Iterator["subprocess.Popen[str]"]:
    """A build that has got to its script, or has said UNTIL, with an output from before."""
    small.custom(place.base / "repository", SCRIPT)
    places.with_an_output(place.base)
    argv = place.argv(place.base / "repository/images", verb=verb)
    with subprocess.Popen(
        argv, cwd=places.ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=place.environ()
    ) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if line.startswith(until):
                break
        assert process.poll() is None, said
        assert f"Runner: {place.runner}" in said
        yield process


@pytest.mark.parametrize(
    ("runner", "signals"),
    [
        ("container", (signal.SIGINT, signal.SIGINT)),
        ("container", (signal.SIGHUP,)),
        ("unprivileged", (signal.SIGTERM,)),
        ("vm", (signal.SIGTERM,)),
    ],
)
def test_an_interrupted_build_leaves_nothing_but_the_old_output(
    tmp_path: Path, runner: str, signals: tuple[signal.Signals, ...]
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    with places.opened(runner, base) as place:
        before = place.traces()
        with in_the_middle(place) as process:
            assert place.programs()
            started = time.monotonic()
            for number in signals:
                place.signal(number)
                time.sleep(0.2)
            _, rest = process.communicate(timeout=SECONDS)
            took = time.monotonic() - started
        print(f"{runner}, {signals}: {took:.1f} s")
        assert process.returncode == 130, rest
        assert place.programs() == []
        assert place.traces() == before
    left = {path.name for path in base.iterdir()} - {"output.console.log"}  # what a machine's kernel said
    assert left == {"output", "repository", "pid"}
    assert places.is_whole(base)


@pytest.mark.parametrize("runner", ["container", "unprivileged"])
def test_two_builds_at_once_end_together(tmp_path: Path, runner: str) -> None:
    if reason := room.obstacle(tmp_path):
        pytest.skip(f"builds do not run at once here: {reason}")
    base = tmp_path / "base"
    base.mkdir()
    with places.opened(runner, base) as place:
        before = place.traces()
        with in_the_middle(place, verb="verify") as process:
            # Three programs of the script sleep in each.
            place.ends(lambda: sum(one.endswith(" sleep 600") for one in place.commands()) == 6)
            place.signal(signal.SIGTERM)
            _, rest = process.communicate(timeout=SECONDS)
        assert process.returncode == 130, rest
        assert place.programs() == []
        assert place.traces() == before
    assert places.is_whole(base)


@pytest.mark.parametrize(("runner", "until"), [("container", MIDDLE), ("unprivileged", MIDDLE), ("vm", "Runner: vm")])
def test_of_a_toolkit_that_is_killed_no_program_goes_on(tmp_path: Path, runner: str, until: str) -> None:
    """Nothing of it can tidy up; the directory that it leaves is removed by the next run (tests/test_workshop.py)."""
    base = tmp_path / "base"
    base.mkdir()
    with places.opened(runner, base) as place:
        before = place.traces()
        with in_the_middle(place, until) as process:
            assert place.programs()
            place.signal(signal.SIGKILL)
            took = place.ends(lambda: place.programs() == [])
            process.communicate(timeout=SECONDS)
        print(f"{runner}, SIGKILL: {took:.1f} s")
        assert place.traces() == before
    assert places.is_whole(base)


@pytest.mark.parametrize(("runner", "minutes"), [("container", "0.2"), ("unprivileged", "0.2"), ("vm", "0.5")])
def test_at_the_time_limit_everything_ends_and_the_log_stays(tmp_path: Path, runner: str, minutes: str) -> None:
    base = tmp_path / "base"
    base.mkdir()
    small.custom(base / "repository", SCRIPT)
    places.with_an_output(base)
    with places.opened(runner, base) as place:
        before = place.traces()
        completed = place.build(base / "repository/images", "--time-limit", minutes)
        assert completed.returncode == 4, completed.stderr
        assert place.programs() == []
        assert place.traces() == before
    error = completed.stderr.partition("error: ")[2].splitlines()
    assert error[0].startswith(f"mkosi was still running after {minutes} minutes (time-limit)")
    if "reading the configuration" not in error[0]:  # as far as a slow machine gets
        assert error[1].startswith("  ‣ "), error
        assert error[-1].endswith(f"The whole log: {base / 'output.first.log'}")
        assert (base / "output.first.log").read_text().startswith("‣ ")
    assert places.is_whole(base)
