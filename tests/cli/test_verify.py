import json
from collections.abc import Callable
from pathlib import Path

import pytest
from call import Call
from fake_runner import FakeRunner

from ci_toolkit.compare import deep
from ci_toolkit.errors import BuildError, ExitCode, UsageError
from ci_toolkit.host.environment import VARIATIONS

Use = Callable[[FakeRunner], FakeRunner]
REPORTS = {"report.json", "report.md", "report.html", "report.junit.xml", "report.metrics.txt"}


@pytest.fixture
def call(tmp_path: Path) -> Call:
    return Call(tmp_path, "local/laptop")


def same() -> FakeRunner:
    return FakeRunner(lambda _: "same")


def leaky() -> FakeRunner:
    return FakeRunner(lambda surroundings: f"built on {surroundings.hostname}\n")


def test_it_builds_twice_shows_the_verdict_and_leaves_the_reports_beside_the_image(call: Call, use: Use) -> None:
    runner = use(same())
    assert call("verify") == ExitCode.FINE
    assert runner.place is not None
    assert len(runner.place.built) == 2
    assert "two builds, one SHA-256" in call.shown
    assert {path.name for path in call.output.iterdir()} >= {"image.txt", *REPORTS}


def test_a_difference_is_exit_code_1_and_named(call: Call, use: Use) -> None:
    use(leaky())
    assert call("verify") == ExitCode.POLICY
    assert "hostname" in call.shown
    report = json.loads((call.output / "report.json").read_text(encoding="utf-8"))
    assert report["verdict"] == "different"


@pytest.mark.parametrize("policy", ["unexplained", "never"])
def test_the_fail_policy_may_let_a_known_cause_pass(call: Call, use: Use, policy: str) -> None:
    use(leaky())
    assert call("verify", "--fail-on", policy) == ExitCode.FINE


@pytest.mark.parametrize(
    ("vary", "varied"), [("all", set(VARIATIONS)), ("none", set()), ("zone,hostname", {"zone", "hostname"})]
)
def test_what_varies_is_an_option(call: Call, use: Use, vary: str, varied: set[str]) -> None:
    use(same())
    call("verify", "--vary", vary)
    report = json.loads((call.output / "report.json").read_text(encoding="utf-8"))
    assert {variation["name"] for variation in report["variations"]} == varied


@pytest.mark.parametrize("where", ["reports", "output/reports", "output", "new/place"])
def test_the_reports_may_go_elsewhere_also_into_the_output(call: Call, use: Use, where: str) -> None:
    use(same())
    assert call("verify", "--report-dir", str(call.folder / where)) == ExitCode.FINE
    assert {path.name for path in (call.folder / where).glob("report.*")} == REPORTS
    assert (call.output / "image.txt").exists()


def test_a_report_directory_that_cannot_be_is_told_before_the_build(call: Call, use: Use) -> None:
    runner = use(same())
    (call.folder / "file").touch()
    with pytest.raises(UsageError, match="cannot hold the report"):
        call("verify", "--report-dir", str(call.folder / "file" / "reports"))
    assert runner.place is None


def test_a_wrong_option_is_told_before_the_build(call: Call, use: Use) -> None:
    runner = use(same())
    with pytest.raises(UsageError, match="moon"):
        call("verify", "--vary", "moon")
    assert runner.place is None


def test_a_second_run_replaces_the_reports_of_the_first(call: Call, use: Use) -> None:
    use(leaky())
    call("verify")
    use(same())
    assert call("verify") == ExitCode.FINE
    report = json.loads((call.output / "report.json").read_text(encoding="utf-8"))
    assert report["verdict"] == "identical"
    assert not (call.output / "second").exists()


def test_a_failed_build_leaves_no_report(call: Call, use: Use) -> None:
    use(FakeRunner(lambda _: "half", exit_code=1))
    with pytest.raises(BuildError):
        call("verify")
    assert not call.output.exists()
    assert call.shown == ""


def test_a_deep_look_is_taken_of_what_no_rule_explains(call: Call, use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deep, "find", lambda environ: None)
    use(FakeRunner(lambda surroundings: "one\n" if surroundings.hostname == "image-builder" else "three\n"))
    assert call("verify", "--deep") == ExitCode.POLICY
    report = json.loads((call.output / "report.json").read_text(encoding="utf-8"))
    assert [one["reason"] for one in report["skipped"]] == [deep.MISSING]
    assert call("verify") == ExitCode.POLICY
    report = json.loads((call.output / "report.json").read_text(encoding="utf-8"))
    assert report["skipped"] == []
