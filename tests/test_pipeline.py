from collections.abc import Callable, Mapping
from pathlib import Path

import fake_runner
import pytest
from fake_runner import FakeRunner

from ci_toolkit import pipeline
from ci_toolkit.compare.comparison import Verdict
from ci_toolkit.console import Console
from ci_toolkit.errors import BuildError
from ci_toolkit.host.environment import NORMAL, VARIATIONS
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
    assert kept == {"image.txt", "first.log", "second.log", ".ci-toolkit"}


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
