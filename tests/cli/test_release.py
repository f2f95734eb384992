"""release, publish and prune, as they are called."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import served
from call import Call
from fake_github import REPOSITORY, TOKEN, FakeGitHub
from fake_runner import FakeRunner
from github_artifacts import FakeArtifacts

from ci_toolkit.errors import BuildError, ExitCode, UsageError

pytestmark = pytest.mark.slow
Use = Callable[[FakeRunner], FakeRunner]


@pytest.fixture
def call(tmp_path: Path) -> Call:
    return Call(tmp_path, "local/laptop", CI_TOOLKIT_DATE="2026-11-28")


def release(call: Call, *arguments: str) -> int:
    to = f"dir:{call.folder / 'mirror'}"
    return call("release", str(call.folder / "images"), "--to", to, *arguments)


def test_an_image_is_built_twice_and_published_and_the_second_time_it_is_not_due(call: Call, use: Use) -> None:
    runner = use(FakeRunner(lambda _: "same"))
    assert release(call) == ExitCode.FINE
    assert runner.place is not None
    assert len(runner.place.built) == 2
    place = call.folder / "mirror/2026.11.28"
    assert {path.name for path in place.iterdir()} == {
        *("image.txt", "report.json", "build-record.json", "release.json", "SHA256SUMS"),
        *("image.txt.spdx.json", "image.txt.cdx.json", "image.txt.provenance.json"),
    }
    record = str(place / "build-record.json")
    for form, name in (("spdx", "spdx"), ("cyclonedx", "cdx"), ("provenance", "provenance")):
        assert call("sbom", record, "--format", form, "--output", str(call.folder / form)) == ExitCode.FINE
        assert (call.folder / form).read_bytes() == (place / f"image.txt.{name}.json").read_bytes()
    argv = ("sha256sum", "--check", "--strict", "SHA256SUMS")
    assert subprocess.run(argv, cwd=place, capture_output=True, check=False).returncode == 0
    assert "released 2026.11.28" in call.shown
    assert release(call) == ExitCode.FINE
    assert "no release is due before 2026-12-07" in call.shown


def test_what_differs_is_exit_code_1_and_not_published(call: Call, use: Use) -> None:
    use(FakeRunner(lambda surroundings: surroundings.hostname))
    assert release(call) == ExitCode.POLICY
    assert "is not reproducible: it is not released" in call.shown
    assert not (call.folder / "mirror").exists()


def test_what_does_not_start_is_exit_code_1_and_not_published(call: Call, use: Use) -> None:
    use(FakeRunner(lambda _: "same"))
    assert release(call, "--boot", "uefi") == ExitCode.POLICY
    assert "image.txt" in call.shown
    assert "does not start as it should: it is not released" in call.shown
    assert not (call.folder / "mirror").exists()


def test_a_firmware_that_there_is_not_is_told_before_anything_is_built(call: Call, use: Use) -> None:
    runner = use(FakeRunner(lambda _: "same"))
    with pytest.raises(UsageError, match="boot is 'coreboot'"):
        release(call, "--boot", "coreboot")
    assert runner.place is None


def test_a_dry_run_prints_the_plan_and_builds_nothing(call: Call, use: Use) -> None:
    runner = use(FakeRunner(lambda _: "same"))
    assert release(call, "--dry-run", "--keep", "3", "--scheme", "YYYYMMDD.JOB") == ExitCode.FINE
    assert "version 20261128." in call.shown
    assert runner.place is None
    assert not (call.folder / "mirror").exists()


def test_the_next_release_knows_the_last_one_from_what_it_published(call: Call, use: Use) -> None:
    use(FakeRunner(lambda _: "first"))
    release(call)
    call.environ["CI_TOOLKIT_DATE"] = "2026-12-12"
    use(FakeRunner(lambda _: "second one"))
    release(call)
    told = json.loads((call.folder / "mirror/latest/release.json").read_text(encoding="utf-8"))
    assert told["version"] == "2026.12.12"
    assert "| Change |" in (call.output / "notes.md").read_text(encoding="utf-8")


def listed(version: str) -> str:
    one = {"type": "deb", "name": "openssl", "version": version, "architecture": "amd64"}
    return json.dumps({"manifest_version": 1, "config": {}, "packages": [one]})


def test_the_notes_and_the_summary_tell_what_was_looked_up(call: Call, use: Use) -> None:
    file = call.folder / "all.json"
    file.write_text("[]", encoding="utf-8")
    for day, version in (("2026-11-28", "1-1"), ("2026-12-12", "2-1")):
        call.environ["CI_TOOLKIT_DATE"] = day
        use(FakeRunner(lambda _: "same")).manifest = listed(version)
        assert release(call, "--advisories", str(file), "--advisories", str(call.folder / "none")) == ExitCode.FINE
    assert call.shown.endswith("not all security fixes could be looked up\n")
    assert f"warning: the advisories of {call.folder}/none were not looked up" in call.said
    notes = (call.output / "notes.md").read_text(encoding="utf-8")
    assert "### Security fixes\n\nThe advisories of `none` could not be looked up.\n" in notes
    assert str(call.folder) not in notes


def test_an_address_that_is_never_asked_is_told_before_anything_is_built(call: Call, use: Use) -> None:
    runner = use(FakeRunner(lambda _: "same"))
    with pytest.raises(UsageError, match="only https"):
        release(call, "--advisories", "http://example.org/all.json")
    assert runner.place is None


def test_what_an_address_asks_with_is_never_shown(call: Call, use: Use) -> None:
    (call.folder / "nothing").mkdir()
    with served.directory(call.folder / "nothing") as address:
        for day, version in (("2026-11-28", "1-1"), ("2026-12-12", "2-1")):
            call.environ["CI_TOOLKIT_DATE"] = day
            use(FakeRunner(lambda _: "same")).manifest = listed(version)
            assert release(call, "--advisories", f"{address}all.json?job_token=0123456789") == ExitCode.FINE
    assert f"the advisories of {address}all.json?*** were not looked up" in call.said
    notes = (call.output / "notes.md").read_text(encoding="utf-8")
    assert "The advisories of `127.0.0.1/all.json` could not be looked up." in notes
    assert "0123456789" not in call.said + call.shown + notes


def test_looking_up_is_a_step_of_the_plan(call: Call) -> None:
    assert release(call, "--dry-run", "--advisories", "https://example.org/all.json") == ExitCode.FINE
    assert "2. look up which security fixes the upgraded packages bring" in call.shown


def test_prune_tells_first_and_then_removes(call: Call, use: Use) -> None:
    for day in ("2026-10-31", "2026-11-14", "2026-11-28"):
        call.environ["CI_TOOLKIT_DATE"] = day
        use(FakeRunner(lambda _: "same"))
        release(call)
    mirror = call.folder / "mirror"
    prune = ("prune", "--to", f"dir:{mirror}", "--keep", "2")
    assert call(*prune, "--dry-run") == ExitCode.FINE
    assert "2026.10.31: remove" in call.shown
    assert (mirror / "2026.10.31").is_dir()
    assert call(*prune) == ExitCode.FINE
    assert sorted(path.name for path in mirror.iterdir()) == ["2026.11.14", "2026.11.28", "latest"]


def test_prune_wants_to_know_what_is_kept(call: Call) -> None:
    with pytest.raises(UsageError, match="nothing says"):
        call("prune", "--to", f"dir:{call.folder / 'mirror'}")


def test_prune_removes_artifacts_beside_releases(call: Call) -> None:
    fake = FakeArtifacts()
    for number in range(1, 4):
        fake.upload("ci-toolkit-images-0", f"2026-10-0{number}", number)
    call.environ |= {"GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": REPOSITORY}
    with fake.server:
        call.environ["GITHUB_API_URL"] = fake.server.url
        prune = ("prune", "--to", "github-artifacts", "--to", f"dir:{call.folder}", "--keep", "2")
        assert call(*prune, "--dry-run") == ExitCode.FINE
        assert len(fake.left) == 3
        assert call(*prune, "--name", "ci-toolkit-images-*") == ExitCode.FINE
    assert fake.left == {2, 3}
    assert "ci-toolkit-images-0 of 2026-10-01 (run 1, 1,000 bytes): remove" in call.shown
    assert "no release" in call.shown
    assert fake.server.violations == []


def test_a_name_without_artifacts_is_told(call: Call) -> None:
    with pytest.raises(UsageError, match="of artifacts alone"):
        call("prune", "--to", f"dir:{call.folder}", "--keep", "2", "--name", "x")


def test_a_directory_is_published_with_checksums_and_once(call: Call) -> None:
    files = call.folder / "files"
    files.mkdir()
    (files / "a.raw").write_text("a", encoding="utf-8")
    publish = ("publish", str(files), "--to", f"dir:{call.folder / 'mirror'}")
    assert call(*publish, "--dry-run") == ExitCode.FINE
    assert not (call.folder / "mirror").exists()
    for _ in range(2):
        assert call(*publish) == ExitCode.FINE
    place = call.folder / "mirror/2026.11.28"
    assert {path.name for path in place.iterdir()} == {"a.raw", "SHA256SUMS"}


@pytest.mark.parametrize("version", ["v1", "../x", "2026.13.01"])
def test_a_version_that_is_none_is_told(call: Call, version: str) -> None:
    with pytest.raises(UsageError, match="is no version"):
        call("publish", str(call.folder), "--to", f"dir:{call.folder / 'mirror'}", "--version", version)


def test_a_secret_is_never_shown(call: Call) -> None:
    call.environ["GITHUB_TOKEN"] = "ghs_secret0123456789"
    call.environ["GITHUB_API_URL"] = "http://127.0.0.1:9"
    files = call.folder / "files"
    files.mkdir()
    (files / "ghs_secret0123456789").touch()
    with pytest.raises(UsageError):
        call("publish", str(files), "--to", "github:a/b", "--to", "oci:127.0.0.1:9/a")
    assert "ghs_secret" not in call.said + call.shown


def test_a_release_that_fails_opens_an_issue_which_the_next_one_closes(
    tmp_path: Path, use: Use, github: FakeGitHub
) -> None:
    call = Call(
        tmp_path,
        "github/push",
        CI_TOOLKIT_DATE="2026-11-28",
        GITHUB_API_URL=github.server.url,
        GITHUB_REPOSITORY=REPOSITORY,
        GITHUB_TOKEN=TOKEN,
    )
    use(FakeRunner(lambda _: "same", exit_code=1, words="the mirror is gone\n"))
    with pytest.raises(BuildError):
        release(call, "--issue")
    (only,) = github.issues.opened()
    assert "the mirror is gone" in only["body"]
    use(FakeRunner(lambda _: "same"))
    assert release(call, "--issue", "--resume") == ExitCode.FINE
    assert github.issues.opened() == []
