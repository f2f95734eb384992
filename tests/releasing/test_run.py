"""The whole of a release, with builds that take no time, into a directory."""

import json
import shutil
import subprocess
import tarfile
import threading
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import recorded
import tracked
from releaser import building, release
from waits import Waits

from ci_toolkit.compare.comparison import Verdict
from ci_toolkit.errors import ForgeError, HostError, UnreadableError, UsageError
from ci_toolkit.formats import table
from ci_toolkit.mkosi.build import Artefact
from ci_toolkit.publish import targets
from ci_toolkit.publish.directory import Directory
from ci_toolkit.publish.files import File, Release
from ci_toolkit.publish.files import gather as files_of
from ci_toolkit.publish.target import Target, Watch
from ci_toolkit.records import stored
from ci_toolkit.releases import contents
from ci_toolkit.releases.retention import Policy
from ci_toolkit.releasing import run, state
from ci_toolkit.releasing.run import Ending, Wanted
from ci_toolkit.reports.report import Report

pytestmark = pytest.mark.slow

DAY = date(2026, 11, 28)


@pytest.fixture
def mirror(tmp_path: Path) -> Target:
    return targets.find(f"dir:{tmp_path / 'mirror'}", {}, Waits().patience())


@pytest.fixture
def wanted(tmp_path: Path) -> Wanted:
    return Wanted(images=("cloud",), formats=(), output=tmp_path / "output", day=DAY, commit="c" * 40)


def test_the_second_time_it_is_not_due_and_nothing_is_built(wanted: Wanted, mirror: Target, tmp_path: Path) -> None:
    built: list[str] = []
    assert release(wanted, [mirror], building("a", built)).ending is Ending.RELEASED
    assert release(wanted, [mirror], building("a", built)).ending is Ending.NOT_DUE
    assert built == ["cloud"]
    assert (tmp_path / "mirror/latest").readlink() == Path("2026.11.28")


def test_a_release_a_fortnight_later_tells_what_changed(wanted: Wanted, mirror: Target, tmp_path: Path) -> None:
    release(wanted, [mirror], building("1.0"))
    later = replace(wanted, day=DAY + timedelta(days=14))
    assert release(later, [mirror], building("1.1")).ending is Ending.RELEASED
    notes = (tmp_path / "output/notes.md").read_text(encoding="utf-8")
    assert "| `base-files` | `1.0` | `1.1` |" in notes
    assert (tmp_path / "mirror/latest").readlink() == Path("2026.12.12")


def recorded_by(build: run.Build) -> run.Build:
    """Return what builds as BUILD does, and leaves a record of Debian's trixie."""

    def build_too(name: str, output: Path) -> Report:
        report = build(name, output)
        stored.write(recorded.RECORD, output)
        return report

    return build_too


def fixes(file: Path, *identifiers: str) -> None:
    """Let FILE tell that base-files 1.1 fixed those CVEs."""
    told = {identifier: tracked.issue(trixie=tracked.state("1.1")) for identifier in identifiers}
    file.write_text(json.dumps({"base-files": told}), encoding="utf-8")


def test_a_release_tells_which_security_fixes_it_brings(wanted: Wanted, mirror: Target, tmp_path: Path) -> None:
    file = tmp_path / "debian.json"
    fixes(file, "CVE-2026-2222")
    advised = replace(wanted, advisories=(str(file),))
    first = release(advised, [mirror], recorded_by(building("1.0")))
    assert (first.ending, first.security) == (Ending.RELEASED, "")  # there is no release that it could be compared to
    assert "Security" not in (tmp_path / "output/notes.md").read_text(encoding="utf-8")
    later = replace(advised, day=DAY + timedelta(days=14))
    second = release(later, [mirror], recorded_by(building("1.1")))
    assert second.security == "1 security fix (1 of unknown severity)"
    notes = (tmp_path / "output/notes.md").read_text(encoding="utf-8")
    link = "[CVE-2026-2222](https://security-tracker.debian.org/tracker/CVE-2026-2222)"
    assert f"| {link} |  | `base-files` | `1.0` | `1.1` |" in notes


def test_advisories_that_cannot_be_had_do_not_keep_a_release_back(
    wanted: Wanted, mirror: Target, tmp_path: Path
) -> None:
    release(wanted, [mirror], recorded_by(building("1.0")))
    later = replace(wanted, day=DAY + timedelta(days=14), advisories=(str(tmp_path / "none.json"),))
    assert release(later, [mirror], recorded_by(building("1.1"))).ending is Ending.RELEASED
    notes = (tmp_path / "output/notes.md").read_text(encoding="utf-8")
    assert "The advisories of `none.json` could not be looked up." in notes


@pytest.mark.parametrize("fails", ["upload", "publish"])
def test_what_was_looked_up_stays_so_for_a_run_that_goes_on(
    wanted: Wanted, mirror: Target, tmp_path: Path, fails: str
) -> None:
    release(wanted, [mirror], recorded_by(building("1.0")))
    file = tmp_path / "debian.json"
    fixes(file, "CVE-2026-2222")
    later = replace(wanted, day=DAY + timedelta(days=14), advisories=(str(file),))
    both = [mirror, Unsteady(tmp_path / "other", fails)]
    with pytest.raises(ForgeError):
        release(later, both, recorded_by(building("1.1")))
    notes = (tmp_path / "output/notes.md").read_text(encoding="utf-8")
    fixes(file, "CVE-2026-2222", "CVE-2026-3333")
    resumed = release(replace(later, resume=True), both, recorded_by(building("1.1")))
    assert (resumed.ending, resumed.security) == (Ending.RELEASED, "1 security fix (1 of unknown severity)")
    assert (tmp_path / "output/notes.md").read_text(encoding="utf-8") == notes
    assert "CVE-2026-2222" in notes


def test_a_run_that_asks_for_no_advisories_does_not_go_on_with_one_that_did(wanted: Wanted, tmp_path: Path) -> None:
    other = Unsteady(tmp_path / "other", "upload")
    with pytest.raises(ForgeError):
        release(replace(wanted, advisories=("x",)), [other])
    with pytest.raises(UsageError, match="another call"):
        release(replace(wanted, resume=True), [other])


def test_what_is_not_reproducible_is_not_released(wanted: Wanted, mirror: Target, tmp_path: Path) -> None:
    found = release(wanted, [mirror], building("a", verdict=Verdict.DIFFERENT))
    assert found.ending is Ending.DIFFERENT
    assert not (tmp_path / "mirror").exists()


def test_what_does_not_start_is_not_released_and_started_again_when_it_goes_on(
    wanted: Wanted, mirror: Target, tmp_path: Path
) -> None:
    built: list[str] = []
    started: list[tuple[Path, Path]] = []

    def start(image: Path, output: Path) -> bool:
        started.append((image, output))
        assert image.is_file()
        return len(started) > 1

    booted = replace(wanted, firmware=("uefi",))
    found = release(booted, [mirror], building("a", built), start)
    assert found.ending is Ending.NOT_STARTED
    assert "cloud does not start" in found.text
    assert not (tmp_path / "mirror").exists()
    with pytest.raises(UsageError, match="of another call"):
        release(replace(wanted, resume=True), [mirror], building("a", built), start)
    assert release(replace(booted, resume=True), [mirror], building("a", built), start).ending is Ending.RELEASED
    assert started == [(tmp_path / "output/builds/cloud/cloud.raw", tmp_path / "output/boot/cloud")] * 2
    assert built == ["cloud"]
    assert not any("boot" in path.name for path in (tmp_path / "mirror/latest").iterdir())


def test_a_dry_run_prints_the_plan_and_writes_nothing(wanted: Wanted, mirror: Target, tmp_path: Path) -> None:
    found = release(replace(wanted, dry=True, policy=Policy(releases=2)), [mirror])
    assert found.ending is Ending.PLANNED
    assert "version 2026.11.28" in found.text
    assert "1. build cloud twice, and compare" in found.text
    assert list(tmp_path.iterdir()) == []


def test_what_goes_after_a_release_is_removed(wanted: Wanted, mirror: Target, tmp_path: Path) -> None:
    for number in range(4):
        one = replace(wanted, day=DAY + timedelta(days=14 * number), policy=Policy(releases=2))
        release(one, [mirror])
    assert sorted(path.name for path in (tmp_path / "mirror").iterdir()) == ["2026.12.26", "2027.01.09", "latest"]


def test_files_of_one_name_get_the_name_of_their_image(wanted: Wanted, mirror: Target, tmp_path: Path) -> None:
    release(replace(wanted, images=("cloud", "iso")), [mirror])
    names = {path.name for path in (tmp_path / "mirror/2026.11.28").iterdir()}
    assert names == {
        *("cloud.raw", "iso.raw", "cloud.report.json", "iso.report.json"),
        *("release.json", "SHA256SUMS", "cloud.oci", "iso.oci", "cloud.oci.tar", "iso.oci.tar"),
    }


def container_only(damage: Path | None = None) -> run.Build:
    """Return what builds an image that is nothing but a container image; then DAMAGE, a file of it, is changed."""

    def build(name: str, output: Path) -> Report:
        report = building("a")(name, output)
        (output / f"{name}.raw").unlink()
        (output / f"{name}.oci").rename(output / name)
        files = files_of(output)[1][0].files()
        artefacts = tuple(Artefact(name=one.name, size=one.size, sha256=one.sha256) for one in files)
        built = replace(report.builds[0], image=name, artefacts=artefacts)
        if damage is not None:
            with (output / name / damage).open("ab") as file:
                file.write(b" ")
        return replace(report, builds=(built, built))

    return build


def test_a_container_image_is_released_as_an_archive_that_skopeo_reads(
    wanted: Wanted, mirror: Target, tmp_path: Path
) -> None:
    both = replace(wanted, formats=table.find("qcow2"), firmware=("bios",))
    assert release(both, [mirror], container_only()).ending is Ending.RELEASED
    place = tmp_path / "mirror/latest"
    (image,) = contents.parse((place / "release.json").read_bytes()).images
    assert image.file == "cloud.oci.tar"
    assert f"{image.sha256}  cloud.oci.tar\n" in (place / "SHA256SUMS").read_text(encoding="utf-8")
    assert "cloud.oci.tar,SHA256SUMS" in (tmp_path / "output/notes.md").read_text(encoding="utf-8")
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    digests = []
    for where in (f"oci-archive:{place / image.file}", f"oci:{place / 'cloud'}"):
        argv = ("skopeo", "inspect", "--format={{.Digest}}", where)
        digests.append(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    assert digests[0] == digests[1]
    with tarfile.open(place / image.file) as archive:
        assert archive.getnames() == sorted(archive.getnames())
        assert {one.mtime for one in archive} == {0}


def test_a_container_image_whose_index_has_changed_is_not_released(wanted: Wanted, mirror: Target) -> None:
    with pytest.raises(UnreadableError, match=r"cloud/index\.json is not the file that was verified"):
        release(wanted, [mirror], container_only(Path("index.json")))


class Unsteady(Directory):
    """A directory that fails on the first try of what is named."""

    def __init__(self, root: Path, fails: str) -> None:
        super().__init__(root)
        self.fails = fails

    def _fail(self, what: str) -> None:
        if self.fails == what:
            self.fails = ""
            raise ForgeError("no")

    def upload(self, release: Release, watch: Watch) -> tuple[File, ...]:
        self._fail("upload")
        return super().upload(release, watch)

    def publish(self, release: Release) -> str:
        self._fail("publish")
        return super().publish(release)


@pytest.mark.parametrize("fails", ["upload", "publish"])
def test_a_release_that_failed_is_gone_on_with_and_built_once(
    wanted: Wanted, mirror: Target, tmp_path: Path, fails: str
) -> None:
    built: list[str] = []
    both = [mirror, Unsteady(tmp_path / "other", fails)]
    with pytest.raises(ForgeError):
        release(wanted, both, building("a", built))
    if fails == "upload":
        assert mirror.releases() == ()
    with pytest.raises(UsageError, match="not finished"):
        release(wanted, both, building("a", built))
    assert release(replace(wanted, resume=True), both, building("a", built)).ending is Ending.RELEASED
    assert built == ["cloud"]
    assert [target.releases()[0].version for target in both] == ["2026.11.28"] * 2


def test_a_file_that_has_changed_since_it_was_verified_is_not_released(wanted: Wanted, tmp_path: Path) -> None:
    other = Unsteady(tmp_path / "other", "upload")
    with pytest.raises(ForgeError):
        release(wanted, [other])
    file = tmp_path / "output/files/cloud.raw"
    file.unlink()
    file.write_text("something else", encoding="utf-8")
    with pytest.raises(UnreadableError, match="SHA256SUMS"):
        release(replace(wanted, resume=True), [other])
    assert other.releases() == ()


def test_another_call_does_not_go_on_with_it(wanted: Wanted, mirror: Target, tmp_path: Path) -> None:
    with pytest.raises(ForgeError):
        release(wanted, [Unsteady(tmp_path / "other", "upload")])
    with pytest.raises(UsageError, match="another call"):
        release(replace(wanted, resume=True), [mirror])


def test_what_another_pipeline_released_meanwhile_is_not_released_again(
    wanted: Wanted, mirror: Target, tmp_path: Path
) -> None:
    quick = replace(wanted, output=tmp_path / "quick", scheme="YYYYMMDD.JOB", run=1)
    build = building("a")

    def slow(name: str, output: Path) -> Report:
        assert release(quick, [mirror], build).ending is Ending.RELEASED
        return build(name, output)

    found = release(replace(wanted, scheme="YYYYMMDD.JOB", run=2), [mirror], slow)
    assert found.ending is Ending.MEANWHILE
    assert [past.version for past in mirror.releases()] == ["20261128.1"]


def test_two_at_once_release_once(wanted: Wanted, mirror: Target, tmp_path: Path) -> None:
    """Both find that it is due, and both have built before either goes on."""
    together = threading.Barrier(2, timeout=60)
    endings: list[Ending] = []
    build = building("a")

    def waits(name: str, output: Path) -> Report:
        together.wait()
        return build(name, output)

    def work(number: int) -> None:
        one = replace(wanted, output=tmp_path / f"output{number}")
        endings.append(release(one, [mirror], waits).ending)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(endings) == 2
    assert set(endings) == {Ending.RELEASED}  # of the same version, with the same bits
    assert [past.version for past in mirror.releases()] == ["2026.11.28"]
    assert sorted(path.name for path in (tmp_path / "mirror").iterdir()) == ["2026.11.28", "latest"]


def test_an_output_that_another_run_uses_is_told(wanted: Wanted, mirror: Target) -> None:
    with state.locked(wanted.output), pytest.raises(HostError, match="another release"):
        release(wanted, [mirror])


def test_an_output_with_files_of_somebody_is_left_alone(wanted: Wanted, mirror: Target) -> None:
    wanted.output.mkdir()
    (wanted.output / "thesis.tex").touch()
    with pytest.raises(UsageError, match=r"thesis\.tex"):
        release(wanted, [mirror])
    assert [path.name for path in wanted.output.iterdir()] == ["thesis.tex"]


FIX = {
    "identifier": "CVE-2026-2222",
    "package": "linux",
    "before": "1",
    "after": "2",
    "severity": "high",
    "distribution": "arch",
}


@pytest.mark.parametrize(
    "changed",
    [
        {"identifier": "CVE-2026-2222)](x"},
        {"severity": "severe"},
        {"distribution": "evil.example"},
        {"package": 7},
        {"more": "x"},
    ],
)
def test_a_state_with_a_fix_that_is_none_is_told(
    wanted: Wanted, mirror: Target, tmp_path: Path, changed: dict[str, object]
) -> None:
    with pytest.raises(ForgeError):
        release(wanted, [mirror, Unsteady(tmp_path / "other", "upload")])
    path = wanted.output / state.NAME
    told = json.loads(path.read_text(encoding="utf-8"))
    told["security"] = {"fixes": [FIX], "gaps": ["No."]}
    path.write_text(json.dumps(told), encoding="utf-8")
    loaded = state.load(wanted.output)
    assert loaded is not None and loaded.security is not None
    assert [fix.identifier for fix in loaded.security.fixes] == ["CVE-2026-2222"]
    told["security"]["fixes"] = [FIX | changed]
    path.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(UnreadableError, match="no state"):
        state.load(wanted.output)


def test_a_state_of_an_older_toolkit_is_read(wanted: Wanted, mirror: Target, tmp_path: Path) -> None:
    both = [mirror, Unsteady(tmp_path / "other", "upload")]
    with pytest.raises(ForgeError):
        release(wanted, both)
    path = wanted.output / state.NAME
    told = json.loads(path.read_text(encoding="utf-8"))
    del told["security"], told["call"]["advises"]
    path.write_text(json.dumps(told), encoding="utf-8")
    assert release(replace(wanted, resume=True), both).ending is Ending.RELEASED


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2}', "[" * 100_000, '{"schema": 1, "call": 7}'])
def test_a_state_that_is_none_is_told(wanted: Wanted, mirror: Target, text: str) -> None:
    wanted.output.mkdir()
    (wanted.output / state.NAME).write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableError, match="no state"):
        release(replace(wanted, resume=True), [mirror])
