import io
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import fake_runner
import pytest
from fake_runner import FakeRunner

from ci_toolkit import pipeline
from ci_toolkit.compare.comparison import Verdict
from ci_toolkit.console import Console
from ci_toolkit.errors import BuildError
from ci_toolkit.host.environment import NORMAL, VARIATIONS, VARIED, Environment
from ci_toolkit.site import Wishes


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    directory = tmp_path / "images"
    directory.mkdir()
    (directory / "mkosi.conf").touch()
    return directory


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeRunner], FakeRunner]:
    return lambda runner: fake_runner.install(monkeypatch, runner)


def wishes(definition: Path, *vary: str) -> Wishes:
    return Wishes(directory=definition, output=definition.parent / "output", vary=frozenset(vary))


def environ(definition: Path) -> Mapping[str, str]:
    return {"XDG_CACHE_HOME": str(definition.parent / "cache")}


def test_two_equal_builds_are_reproducible_and_one_is_kept(
    definition: Path, use: Callable[[FakeRunner], FakeRunner]
) -> None:
    use(FakeRunner(lambda _: "the same\n"))
    report = pipeline.verify(wishes(definition, *VARIATIONS), environ(definition), Console(quiet=True))
    assert report.verdict is Verdict.IDENTICAL
    assert report.builds[0].artefacts == report.builds[1].artefacts
    kept = {path.name for path in (definition.parent / "output").iterdir()}
    assert kept == {"image.txt", "first.log", "second.log", "build-record.json", ".ci-toolkit"}


def test_a_host_name_that_leaks_makes_a_difference_and_both_builds_are_kept(
    definition: Path, use: Callable[[FakeRunner], FakeRunner]
) -> None:
    use(FakeRunner(lambda surroundings: f"built on {surroundings.hostname}\n"))
    report = pipeline.verify(wishes(definition, "hostname"), environ(definition), Console(quiet=True))
    assert report.verdict is Verdict.DIFFERENT
    assert [finding.cause for finding in report.findings] == ["hostname"]
    output = definition.parent / "output"
    assert (output / "image.txt").read_text() == "built on image-builder\n"
    assert (output / "second/image.txt").read_text() == "built on elsewhere\n"


def test_only_what_was_asked_for_varies(definition: Path, use: Callable[[FakeRunner], FakeRunner]) -> None:
    runner = use(FakeRunner(lambda _: "same"))
    report = pipeline.verify(wishes(definition, "zone", "cpus"), environ(definition), Console(quiet=True))
    assert runner.place is not None
    (first, _), (second, command) = runner.place.built
    assert first == NORMAL
    assert (second.zone, second.cpus, second.hostname) == ("Pacific/Chatham", 1, NORMAL.hostname)
    assert command.environment["TZ"] == "Pacific/Chatham"
    assert {variation.name for variation in report.variations} == {"zone", "cpus"}


def test_what_cannot_vary_here_is_reported_with_the_reason(
    definition: Path, use: Callable[[FakeRunner], FakeRunner]
) -> None:
    use(FakeRunner(lambda _: "same", uid="one user only"))
    report = pipeline.verify(wishes(definition, "uid", "zone"), environ(definition), Console(quiet=True))
    assert [(v.name, v.skipped) for v in report.variations] == [("zone", None), ("uid", "one user only")]


def test_a_failed_build_leaves_its_log_and_nothing_else(
    definition: Path, use: Callable[[FakeRunner], FakeRunner]
) -> None:
    use(FakeRunner(lambda _: "half an image", exit_code=1))
    with pytest.raises(BuildError, match="mkosi speaks"):
        pipeline.build(wishes(definition), environ(definition), Console(quiet=True))
    assert sorted(path.name for path in definition.parent.iterdir()) == ["cache", "images", "output.first.log"]


def test_an_earlier_output_survives_a_failed_build(definition: Path, use: Callable[[FakeRunner], FakeRunner]) -> None:
    use(FakeRunner(lambda _: "good"))
    pipeline.build(wishes(definition), environ(definition), Console(quiet=True))
    use(FakeRunner(lambda _: "bad", exit_code=1))
    with pytest.raises(BuildError):
        pipeline.build(wishes(definition), environ(definition), Console(quiet=True))
    assert (definition.parent / "output/image.txt").read_text() == "good"


def at_once(monkeypatch: pytest.MonkeyPatch, **given: str) -> FakeRunner:
    """A runner that does two things at once, on a machine with room for it."""
    monkeypatch.setattr("ci_toolkit.host.room.obstacle", lambda _: None)
    monkeypatch.setattr("ci_toolkit.pair.LAG_SECONDS", 0.0)
    words = "‣ Building main image\nmkosi speaks\n"
    return FakeRunner(lambda surroundings: given.get(surroundings.hostname, "same"), words=words, one_at_a_time=None)


def test_both_builds_run_at_once_and_are_told_one_after_the_other(
    definition: Path, use: Callable[[FakeRunner], FakeRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(at_once(monkeypatch))
    narration = io.StringIO()
    report = pipeline.verify(wishes(definition, *VARIATIONS), environ(definition), Console(narration=narration))
    assert report.verdict is Verdict.IDENTICAL
    told = [line for line in narration.getvalue().splitlines() if line.startswith(("Both", "▸", "mkosi speaks"))]
    first, second = "▸ First build", "▸ Second build, in other surroundings"
    assert told[1:-1] == ["Both builds run at once", first, "mkosi speaks", second, "mkosi speaks"]


def test_the_second_of_two_builds_at_once_starts_when_the_first_has_its_package_lists(
    definition: Path, use: Callable[[FakeRunner], FakeRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    started = threading.Event()
    runner = at_once(monkeypatch)

    def content(surroundings: Environment) -> str:
        if surroundings.hostname == NORMAL.hostname:
            assert started.wait(10), "the second build was not started while the first ran"
        else:
            started.set()
        return "same"

    runner.content = content
    use(runner)
    pipeline.verify(wishes(definition, *VARIATIONS), environ(definition), Console(quiet=True))
    assert runner.place is not None
    second = next(command for surroundings, command in runner.place.built if surroundings.hostname != NORMAL.hostname)
    assert "--cache-only=metadata" in second.argv
    assert "--package-cache-directory=/var/tmp/ci-toolkit/another/place/packages" in second.argv


@pytest.mark.parametrize("broken", [NORMAL.hostname, VARIED.hostname])
def test_when_one_of_two_builds_at_once_fails_nothing_goes_on(
    definition: Path, use: Callable[[FakeRunner], FakeRunner], monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    runner = at_once(monkeypatch)

    def content(surroundings: Environment) -> str:
        if surroundings.hostname == broken:
            raise BuildError("it broke")
        return "same"

    runner.content = content
    use(runner)
    before = set(threading.enumerate())
    with pytest.raises(BuildError, match="it broke"):
        pipeline.verify(wishes(definition, *VARIATIONS), environ(definition), Console(quiet=True))
    assert runner.place is not None and runner.place.stopped
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(
    ("parallel", "vary", "reason"),
    [("never", VARIATIONS, "so it was asked for"), ("auto", ("zone",), "both have the same path")],
)
def test_builds_that_cannot_run_at_once_say_why(
    definition: Path,
    use: Callable[[FakeRunner], FakeRunner],
    monkeypatch: pytest.MonkeyPatch,
    parallel: str,
    vary: Iterable[str],
    reason: str,
) -> None:
    use(at_once(monkeypatch))
    narration = io.StringIO()
    asked = replace(wishes(definition, *vary), parallel=parallel)
    pipeline.verify(asked, environ(definition), Console(narration=narration))
    assert f"One build after the other: {reason}" in narration.getvalue()


@pytest.mark.parametrize(("apart", "skipped"), [(0.0, True), (60.0, False)])
def test_builds_of_one_time_prove_nothing_about_clocks(
    definition: Path,
    use: Callable[[FakeRunner], FakeRunner],
    monkeypatch: pytest.MonkeyPatch,
    apart: float,
    skipped: bool,
) -> None:
    use(at_once(monkeypatch))
    monkeypatch.setattr("ci_toolkit.mkosi.turns.Calls.lag", lambda *_: apart)
    report = pipeline.verify(wishes(definition, *VARIATIONS), environ(definition), Console(quiet=True))
    (told,) = (variation for variation in report.variations if variation.name == "time")
    assert (told.skipped is not None) is skipped
