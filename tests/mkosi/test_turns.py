"""Two builds with a package cache each, locked by flock(1) as mkosi locks them."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ci_toolkit.errors import HostError
from ci_toolkit.mkosi import turns
from ci_toolkit.mkosi.turns import Calls, Side


@pytest.fixture
def caches(tmp_path: Path) -> tuple[Path, Path]:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    return first, second


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Have a program hold the lock of DIRECTORY."""
    argv = ("flock", "--exclusive", str(directory), "sh", "-c", "echo has it; read line")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "has it\n"
        yield
        holder.communicate("\n")


def is_free(directory: Path) -> bool:
    return subprocess.run(("flock", "--nonblock", str(directory), "true"), check=False).returncode == 0


def becomes(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LAG_SECONDS", 0.0)


@dataclass(kw_only=True)
class Pair:
    """Two builds, and how many bytes were there whenever the second was given what it lacks."""

    first: Calls = field(default_factory=lambda: Calls(has_lists=True))
    second: Calls = field(default_factory=lambda: Calls(has_lists=True))
    over: threading.Event = field(default_factory=threading.Event)
    shared: list[int] = field(default_factory=list)


@contextmanager
def kept(caches: tuple[Path, Path]) -> Iterator[Pair]:
    pair = Pair()
    first, second = caches
    with turns.Turns(
        first=Side(packages=first, calls=pair.first),
        second=Side(packages=second, calls=pair.second),
        share=lambda: pair.shared.append(turns.total(first)),
        first_is_over=pair.over,
    ):
        yield pair


def test_a_call_of_the_second_waits_until_the_first_has_its_packages(caches: tuple[Path, Path]) -> None:
    first, second = caches
    with kept(caches) as pair:
        assert not is_free(second), "the first has not called its package manager yet"
        with locked(first):
            pair.first.hear("Reading package lists...\n")
            time.sleep(0.5)
            assert not is_free(second)
            (first / "package.deb").write_bytes(bytes(1000))
            pair.first.hear("Fetched 1000 B in 1s (1000 B/s)\n")
            assert becomes(lambda: is_free(second)), "the first only installs now"
            assert pair.shared == [0, 1000]
            pair.second.hear("Reading package lists...\n")
            assert becomes(lambda: not is_free(second)), "its next call waits for the first one's next call"


def test_a_call_of_which_nothing_was_heard_has_ended_when_its_lock_is_free(caches: tuple[Path, Path]) -> None:
    first, second = caches
    with kept(caches) as pair:
        with locked(first):
            pair.first.hear("Reading package lists...\n")
            time.sleep(0.3)
            assert not is_free(second)
        assert becomes(lambda: is_free(second))


def test_the_second_waits_no_longer_than_the_first_runs(caches: tuple[Path, Path]) -> None:
    first, second = caches
    with kept(caches) as pair, locked(first):
        assert not is_free(second)
        (first / "package.deb").write_bytes(bytes(10))
        pair.over.set()
        assert becomes(lambda: is_free(second))
        assert pair.shared[-1] == 10


def test_the_second_is_let_go_when_the_context_ends(caches: tuple[Path, Path]) -> None:
    with kept(caches):
        assert not is_free(caches[1])
    assert is_free(caches[1])


def test_what_cannot_be_shared_is_fetched(caches: tuple[Path, Path]) -> None:
    def share() -> None:
        raise HostError("no room")

    first, second = (Side(packages=path, calls=Calls(has_lists=True)) for path in caches)
    with turns.Turns(first=first, second=second, share=share, first_is_over=threading.Event()):
        first.calls.hear("resolving dependencies...\n")
        first.calls.hear("checking keyring...\n")
        assert becomes(lambda: is_free(caches[1]))


# As apt, pacman and dnf wrote them in builds, and zypper in its manual's words.
LOGS = {
    "apt": (
        "Reading package lists...",
        "Building dependency tree...",
        "Need to get 25.4 MB of archives.",
        "Fetched 25.4 MB in 1s",
    ),
    "apt, all there": ("Reading package lists...", "Solving dependencies...", "Need to get 0 B/25.4 MB of archives."),
    "pacman": (
        "resolving dependencies...",
        "looking for conflicting packages...",
        ":: Retrieving packages...",
        "checking keyring...",
    ),
    "dnf": ("Updating and loading repositories:", "Repositories loaded.", "[1/3] Total", "Running transaction"),
    "zypper": (
        "Loading repository data...",
        "Resolving package dependencies...",
        "Checking for file conflicts: [done]",
    ),
}


@pytest.mark.parametrize("lines", LOGS.values(), ids=LOGS)
def test_package_managers_tell_when_they_fetch(lines: tuple[str, ...]) -> None:
    calls = Calls()
    for line in lines:
        calls.hear(f"{line}\n")
    assert (calls.begun, calls.there) == (0, []), "they may be called for the lists"
    calls.hear("‣ Building default-tools image\n")
    assert not calls.has_lists
    calls.hear("‣ [main]  Building main image\n")
    found = []
    for line in lines:
        calls.hear(f"{line}\n")
        found.append(len(calls.there))
    assert (calls.begun, found) == (1, [0] * (len(lines) - 1) + [1])


def test_the_second_stays_some_seconds_behind(caches: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LAG_SECONDS", 1.0)
    with kept(caches) as pair:
        pair.first.hear("Reading package lists...\n")
        pair.first.hear("Need to get 0 B/1 B of archives.\n")
        started = time.monotonic()
        assert becomes(lambda: is_free(caches[1]))
        assert time.monotonic() - started > 0.9


def test_how_far_one_is_behind_is_told_by_the_steps_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((10.0, 20.0, 15.0, 22.0, 23.0, 99.0))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    first, second = Calls(), Calls()
    assert first.lag(second) is None
    first.hear("‣ Building main image\n")
    first.hear("‣ [main]  /a/output/image.raw size is 1M\n")
    second.hear("‣ Building main image\n")
    second.hear("‣ [main]  /b/another/output/image.raw size is 1M\n")
    second.hear("‣ [main]  A step of its own\n")
    assert first.lag(second) == 2.0


def test_what_is_in_directories_counts(tmp_path: Path) -> None:
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/one").write_bytes(b"12")
    (tmp_path / "two").write_bytes(b"3")
    (tmp_path / "link").symlink_to("/nowhere")
    assert turns.total(tmp_path) == 3 + len("/nowhere")
    assert turns.total(tmp_path / "not there") == 0
