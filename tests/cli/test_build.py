from collections.abc import Callable
from pathlib import Path

import pytest
from bench import run
from call import Call
from fake_runner import FakeRunner

from ci_toolkit.errors import BuildError, ExitCode, UsageError

Use = Callable[[FakeRunner], FakeRunner]


@pytest.fixture
def call(tmp_path: Path) -> Call:
    return Call(tmp_path, "local/laptop")


@pytest.fixture
def runner(use: Use) -> FakeRunner:
    return use(FakeRunner(lambda _: "an image\n"))


def arguments(runner: FakeRunner) -> list[str]:
    """The command line of the one mkosi that was called."""
    assert runner.place is not None
    ((_, command),) = runner.place.built
    return list(command.argv)


def test_it_prints_what_sha256sum_can_check(call: Call, runner: FakeRunner, tmp_path: Path) -> None:
    assert call("build") == ExitCode.FINE
    (tmp_path / "sums").write_text(call.shown, encoding="utf-8")
    assert run("sha256sum", "--check", "--strict", tmp_path / "sums").decode().endswith("image.txt: OK\n")


def test_what_follows_two_dashes_goes_to_mkosi_with_a_directory(call: Call, runner: FakeRunner) -> None:
    del call.environ["CI_TOOLKIT_DIRECTORY"]
    call("build", str(call.folder / "images"), "--", "--debug", "--package=a b", "--")
    given = arguments(runner)
    at = given.index("--debug")
    assert given[at : at + 3] == ["--debug", "--package=a b", "--"]


def test_what_follows_two_dashes_goes_to_mkosi_without_a_directory(call: Call, runner: FakeRunner) -> None:
    call("build", "--", "--debug", "--output-format=tar")
    assert {"--debug", "--output-format=tar"} <= set(arguments(runner))


def test_the_words_of_the_setting_come_before_those_of_the_command_line(call: Call, runner: FakeRunner) -> None:
    call.environ["CI_TOOLKIT_MKOSI_ARGS"] = "--hostname 'one two'"
    call("build", "--", "--hostname=three")
    given = arguments(runner)
    assert given[given.index("--hostname") + 1] == "one two"
    assert given.index("--hostname") < given.index("--hostname=three")


def test_a_quotation_that_is_open_is_a_usage_error(call: Call, runner: FakeRunner) -> None:
    call.environ["CI_TOOLKIT_MKOSI_ARGS"] = "--hostname 'one"
    with pytest.raises(UsageError, match="mkosi-args"):
        call("build")
    assert runner.place is None


def test_options_are_stronger_than_the_environment(call: Call, runner: FakeRunner) -> None:
    call.environ["CI_TOOLKIT_PROFILE"] = "theirs"
    call("build", "--profile", "ours, more", "--output", str(call.folder / "elsewhere"))
    profiles = [argument for argument in arguments(runner) if argument.startswith("--profile")]
    assert profiles == ["--profile=ours", "--profile=more"]
    assert (call.folder / "elsewhere" / "image.txt").exists()
    assert not call.output.exists()


def test_what_the_plan_notes_is_a_warning(call: Call, runner: FakeRunner) -> None:
    run("git", "-C", call.folder, "init", "--quiet")
    run(
        "git",
        "-C",
        call.folder,
        "-c",
        "user.name=T",
        "-c",
        "user.email=t@example.org",
        "commit",
        "-qm1",
        "--allow-empty",
    )
    call("build")
    assert "warning: The work tree differs from the commit" in call.said


def test_a_failed_build_is_told_with_the_place_of_its_log(call: Call, use: Use) -> None:
    use(FakeRunner(lambda _: "half", exit_code=1, words="no such package\n"))
    with pytest.raises(BuildError, match="no such package") as failed:
        call("build")
    assert failed.value.hint is not None
    log = Path(failed.value.hint.removeprefix("The whole log: "))
    assert log.read_text(encoding="utf-8") == "no such package\n"
