"""What a dry run tells, against what the real run does."""

from collections.abc import Callable, Mapping
from pathlib import Path

import fake_runner
import pytest
from fake_runner import FakeRunner

from ci_toolkit import pipeline, rehearsal
from ci_toolkit.console import Console
from ci_toolkit.errors import UsageError
from ci_toolkit.host.environment import VARIATIONS
from ci_toolkit.site import Wishes

QUIET = Console(quiet=True)


@pytest.fixture
def wishes(tmp_path: Path) -> Wishes:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/mkosi.conf").touch()
    return Wishes(directory=tmp_path / "images", output=tmp_path / "output", vary=frozenset(VARIATIONS))


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    return {"XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeRunner], FakeRunner]:
    return lambda runner: fake_runner.install(monkeypatch, runner)


def called(runner: FakeRunner) -> list[tuple[tuple[str, ...], Mapping[str, str]]]:
    """What mkosi was really called with."""
    assert runner.place is not None
    return [(one.argv, one.environment) for _, one in runner.place.built]


@pytest.mark.parametrize("at_once", [False, True])
def test_the_calls_are_those_of_the_real_run(
    wishes: Wishes,
    environ: Mapping[str, str],
    use: Callable[[FakeRunner], FakeRunner],
    monkeypatch: pytest.MonkeyPatch,
    at_once: bool,
) -> None:
    monkeypatch.setattr("ci_toolkit.host.room.obstacle", lambda _: None)
    monkeypatch.setattr("ci_toolkit.pair.LAG_SECONDS", 0.0)
    runner = use(FakeRunner(lambda _: "same", one_at_a_time=None if at_once else "one place", uid="one user only"))
    found = rehearsal.rehearse(wishes, environ, QUIET, twice=True)
    assert called(runner) == []
    assert found.in_turn == (None if at_once else "one place")
    assert [(one.name, one.skipped) for one in found.variations if one.skipped] == [("uid", "one user only")]
    pipeline.verify(wishes, environ, QUIET)
    told = [(one.argv, one.environment) for one in found.commands]
    # Those of two builds at once end in any order.
    assert sorted(told, key=str) == sorted(called(runner), key=str)
    once = rehearsal.rehearse(wishes, environ, QUIET, twice=False)
    pipeline.build(wishes, environ, QUIET)
    assert [(one.argv, one.environment) for one in once.commands] == called(runner)


def test_nothing_is_left_and_what_was_built_stays(
    wishes: Wishes, environ: Mapping[str, str], use: Callable[[FakeRunner], FakeRunner], tmp_path: Path
) -> None:
    use(FakeRunner(lambda _: "x" * 40_000))
    first = rehearsal.rehearse(wishes, environ, QUIET, twice=False)
    assert first.needed_bytes is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "images"]
    pipeline.build(wishes, environ, QUIET)
    before = {path: path.stat().st_mtime_ns for path in wishes.output.iterdir()}
    (tmp_path / "cache/ci-toolkit/packages/a.deb").write_bytes(b"x" * 10_000)
    again = rehearsal.rehearse(wishes, environ, QUIET, twice=True)
    assert {path: path.stat().st_mtime_ns for path in wishes.output.iterdir()} == before
    assert again.needed_bytes is not None
    assert again.needed_bytes >= 2 * 3 * 40_000
    assert again.cached_bytes >= 10_000
    assert again.cache == tmp_path / "cache/ci-toolkit/packages"
    assert again.images[-1].output == "image"


def test_what_keeps_a_build_from_starting_keeps_the_dry_run(
    wishes: Wishes, environ: Mapping[str, str], use: Callable[[FakeRunner], FakeRunner]
) -> None:
    use(FakeRunner(lambda _: "same"))
    wishes.output.mkdir()
    (wishes.output / "thesis.txt").touch()
    with pytest.raises(UsageError, match="not ours"):
        rehearsal.rehearse(wishes, environ, QUIET, twice=True)
