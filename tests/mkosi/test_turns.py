"""Two builds with a package cache each, locked by flock(1) as mkosi locks them."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ci_toolkit.mkosi import turns


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


@contextmanager
def kept(caches: tuple[Path, Path], shared: list[int]) -> Iterator[threading.Event]:
    over = threading.Event()
    first, second = caches
    with turns.Turns(first=first, second=second, share=lambda: shared.append(turns.total(first)), first_is_over=over):
        yield over


def test_the_second_waits_while_the_first_fetches_and_gets_the_files(
    caches: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "_SETTLES_SECONDS", 1.0)
    first, second = caches
    shared: list[int] = []
    with kept(caches, shared):
        assert is_free(second)
        with locked(first):
            assert becomes(lambda: not is_free(second))
            (first / "package.deb").write_bytes(bytes(1000))
            assert becomes(lambda: is_free(second)), "a package manager that only installs keeps nobody waiting"
        assert shared == [0, 1000]


def test_the_second_waits_no_longer_than_the_first_runs(caches: tuple[Path, Path]) -> None:
    first, second = caches
    shared: list[int] = []
    with kept(caches, shared) as over, locked(first):
        assert becomes(lambda: not is_free(second))
        (first / "package.deb").write_bytes(bytes(10))
        over.set()
        assert becomes(lambda: is_free(second))
    assert shared[-1] == 10


def test_the_second_is_let_go_when_the_context_ends(caches: tuple[Path, Path]) -> None:
    first, second = caches
    with locked(first):
        with kept(caches, []):
            assert becomes(lambda: not is_free(second))
        assert is_free(second)


def test_a_cache_is_being_filled_until_nothing_has_come_in_for_a_while(caches: tuple[Path, Path]) -> None:
    first, _ = caches
    with first_watch(first) as watch:
        assert not watch.is_filling(0.0), "nobody has the lock"
        with locked(first):
            assert watch.is_filling(10.0), "it reads its lists"
            assert not watch.is_filling(13.5), "it installs what is there"
            (first / "new").write_bytes(b"x")
            assert watch.is_filling(14.0)
            assert watch.is_filling(16.5)
            assert not watch.is_filling(17.5)
        assert not watch.is_filling(18.0)


@contextmanager
def first_watch(directory: Path) -> Iterator[turns.Watch]:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        yield turns.Watch(packages=directory, descriptor=descriptor)
    finally:
        os.close(descriptor)


def test_what_is_in_directories_counts(tmp_path: Path) -> None:
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/one").write_bytes(b"12")
    (tmp_path / "two").write_bytes(b"3")
    (tmp_path / "link").symlink_to("/nowhere")
    assert turns.total(tmp_path) == 3 + len("/nowhere")
    assert turns.total(tmp_path / "not there") == 0
