"""`ci-toolkit matrix`, with a runner whose mkosi says what a test tells it to."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from call import Call
from fake_runner import FakeRunner

from ci_toolkit.errors import BuildError, ExitCode, UsageError

Use = Callable[[FakeRunner], FakeRunner]


def defined(folder: Path) -> Call:
    """Two definitions, one of them with a profile, below the directory `images`."""
    call = Call(folder, "local/laptop")
    (folder / "images/mkosi.conf").unlink()
    for name in ("debian", "arch"):
        (folder / "images" / name).mkdir()
        (folder / "images" / name / "mkosi.conf").touch()
    (folder / "images/debian/mkosi.profiles").mkdir()
    (folder / "images/debian/mkosi.profiles/server.conf").touch()
    return call


def test_every_definition_and_profile_is_a_row_for_github(tmp_path: Path, use: Use) -> None:
    use(FakeRunner(lambda _: ""))
    call = defined(tmp_path)
    call("matrix", str(tmp_path / "images"), "--for", "github")
    rows = json.loads(call.shown)["include"]
    assert [(row["directory"], row["profile"]) for row in rows] == [
        (str(tmp_path / "images/arch"), ""),
        (str(tmp_path / "images/debian"), ""),
        (str(tmp_path / "images/debian"), "server"),
    ]


def test_gitlab_gets_the_templates_that_were_asked_for(tmp_path: Path, use: Use) -> None:
    use(FakeRunner(lambda _: ""))
    call = defined(tmp_path)
    call("matrix", str(tmp_path / "images"), "--for", "gitlab", "--templates", "/ci/", "--profile", "server")
    job, report = yaml.safe_load(call.shown)["include"]
    assert (job["local"], report["local"]) == ("/ci/verify.yml", "/ci/report.yml")
    assert job["inputs"]["profile"] == "server"


def test_without_a_system_it_is_a_list_to_read_and_nothing_is_left_behind(tmp_path: Path, use: Use) -> None:
    use(FakeRunner(lambda _: ""))
    call = defined(tmp_path)
    call("matrix", str(tmp_path / "images"))
    assert len(call.shown.splitlines()) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "images", "outputs", "summary.md"]


def test_it_is_all_the_same_what_the_output_holds(tmp_path: Path, use: Use) -> None:
    use(FakeRunner(lambda _: ""))
    call = defined(tmp_path)
    (tmp_path / "output").mkdir()
    (tmp_path / "output/notes").write_text("mine", encoding="utf-8")
    call.environ["CI_TOOLKIT_OUTPUT"] = str(tmp_path / "output")
    assert call("matrix", str(tmp_path / "images")) == ExitCode.FINE
    assert len(call.shown.splitlines()) == 3
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["notes"]


def test_each_architecture_is_asked_for(tmp_path: Path, use: Use) -> None:
    use(FakeRunner(lambda _: ""))
    call = defined(tmp_path)
    call("matrix", str(tmp_path / "images"), "--for", "github", "--architecture", "x86-64, arm64")
    rows = json.loads(call.shown)["include"]
    assert [row["mkosi-args"] for row in rows] == ["--architecture=x86-64", "--architecture=arm64"] * 3


def test_a_profile_that_nothing_has_is_told(tmp_path: Path, use: Use) -> None:
    use(FakeRunner(lambda _: ""))
    with pytest.raises(UsageError, match="nonsense"):
        defined(tmp_path)("matrix", str(tmp_path / "images"), "--profile", "nonsense")


def test_more_than_a_matrix_may_have_is_refused_before_mkosi_is_asked(tmp_path: Path, use: Use) -> None:
    runner = use(FakeRunner(lambda _: ""))
    call = defined(tmp_path)
    for number in range(256):
        (tmp_path / f"images/debian/mkosi.profiles/{number}").mkdir()
    with pytest.raises(UsageError, match="256"):
        call("matrix", str(tmp_path / "images"))
    assert runner.place is None


def test_what_mkosi_refuses_is_told(tmp_path: Path, use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use(FakeRunner(lambda _: ""))
    monkeypatch.setattr("fake_runner.SUMMARY", "no JSON")
    with pytest.raises(BuildError):
        defined(tmp_path)("matrix", str(tmp_path / "images"))
