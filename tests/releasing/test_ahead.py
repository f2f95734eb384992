"""What a release is refused for before anything is built, and what it is warned of."""

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from fake_github import REPOSITORY, TOKEN, FakeGitHub
from releaser import building, release
from waits import Waits

from ci_toolkit.console import Console
from ci_toolkit.errors import UsageError
from ci_toolkit.formats import table
from ci_toolkit.publish import targets
from ci_toolkit.publish.directory import Directory
from ci_toolkit.publish.github import LIMIT_BYTES
from ci_toolkit.publish.target import Target
from ci_toolkit.releases.contents import Contents, Image
from ci_toolkit.releasing import ahead, run
from ci_toolkit.releasing.run import Ending, Outcome, Wanted
from ci_toolkit.releasing.state import Call

DAY = date(2026, 11, 28)
# What releaser.building makes of "a" has 7000 bytes.
BYTES = 7680
GITHUB = {"GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": REPOSITORY}


@pytest.fixture
def wanted(tmp_path: Path) -> Wanted:
    return Wanted(images=("cloud",), formats=(), output=tmp_path / "output", day=DAY, commit="c" * 40)


def named(names: str) -> tuple[table.Format, ...]:
    return table.find(names) if names else ()


def call(images: int, formats: str, *, signs: bool = False) -> Call:
    return Call(
        images=tuple(f"image{number}" for number in range(images)),
        formats=tuple(one.name for one in named(formats)),
        firmware=(),
        targets=(),
        signs=signs,
    )


def limited(place: Path, limit: int | None) -> Target:
    target = Directory(place)
    target.limit = limit
    return target


def told(wanted: Wanted, to: Sequence[Target], built: list[str]) -> tuple[Outcome, str]:
    said = io.StringIO()
    console = Console(narration=said)
    outcome = run.run(wanted, to, building("a", built), lambda _image, _output: True, console)
    return outcome, said.getvalue()


@pytest.mark.parametrize(("images", "formats"), [(1, "netboot"), (500, ""), (143, "qcow2,vmdk,vdi,vhd,vhdx")])
def test_what_github_will_never_take_is_told_before_anybody_is_asked(images: int, formats: str) -> None:
    """500 images have two files each, and 143 in five formats seven; beside them are release.json and SHA256SUMS."""
    target = targets.find("github", GITHUB, Waits().patience())
    with pytest.raises(UsageError, match="cannot be published so") as refused:
        ahead.check(call(images, formats), [target])
    assert "another target" in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("images", "formats", "signs"),
    [(499, "", False), (142, "qcow2,vmdk,vdi,vhd,vhdx", True), (1, "oci,qcow2,azure", True), (331, "oci", True)],
)
def test_what_may_fit_is_not_refused(images: int, formats: str, signs: bool) -> None:
    for to in ("github", "dir:/nowhere", "oci:127.0.0.1:9/a"):
        ahead.check(call(images, formats, signs=signs), [targets.find(to, GITHUB, Waits().patience())])


def test_the_signature_is_a_file_as_well() -> None:
    """2 times 499 and two files are the thousand that GitHub takes."""
    with pytest.raises(UsageError, match="1,001 files"):
        ahead.check(call(499, "", signs=True), [targets.find("github", GITHUB, Waits().patience())])


def test_a_name_of_a_directory_that_a_forge_would_change_counts_where_it_is_published() -> None:
    """One image has the names that mkosi gives it; of several, the directory's stands before the report."""
    target = targets.find("github", GITHUB, Waits().patience())
    one = call(1, "qcow2")
    ahead.check(replace(one, images=("a~b",)), [target])
    with pytest.raises(UsageError, match=r"a~b\.report\.json"):
        ahead.check(replace(one, images=("a~b", "c")), [target])


@pytest.mark.slow
@pytest.mark.parametrize(("formats", "images"), [("netboot", 1), ("", 600)])
@pytest.mark.parametrize("dry", [False, True])
def test_nothing_is_built_for_what_is_refused(
    wanted: Wanted, github: FakeGitHub, dry: bool, formats: str, images: int
) -> None:
    target = targets.find("github", GITHUB | {"GITHUB_API_URL": github.server.url}, Waits().patience())
    built: list[str] = []
    names = tuple(f"image{number}" for number in range(images))
    release = replace(wanted, dry=dry, formats=named(formats), images=names)
    with pytest.raises(UsageError) as refused:
        told(release, [target], built)
    assert "--force" in (refused.value.hint or "")
    assert built == []
    if dry:
        assert told(replace(release, force=True), [target], built)[0].ending is Ending.PLANNED
    assert {one.method for one in github.server.requests} == {"GET"}
    assert not wanted.output.exists() or list(wanted.output.iterdir()) == []


@pytest.mark.parametrize(
    ("share", "says"), [(0.94, ""), (0.951, "it may be beyond that now"), (1.0, "it may be beyond"), (1.001, "refused")]
)
def test_an_image_near_the_limit_is_a_warning_and_one_beyond_it_is_not_built(
    wanted: Wanted, tmp_path: Path, share: float, says: str
) -> None:
    """By what the last release says of itself, which is on another target."""
    release(wanted, [limited(tmp_path / "mirror", None)], building("a"))
    later = replace(wanted, day=DAY + timedelta(days=14), output=tmp_path / "other")
    to = [limited(tmp_path / "mirror", round(BYTES / share))]
    built: list[str] = []
    if says == "refused":
        with pytest.raises(UsageError, match=r"cloud\.raw had 7,680 bytes"):
            told(later, to, built)
        assert built == []
        return
    plan, _ = told(replace(later, dry=True), to, built)
    outcome, said = told(later, to, built)
    assert outcome.ending is Ending.RELEASED
    assert built == ["cloud"]
    assert (says in said) and (says in plan.text)
    assert ("7,680 bytes" in said) == bool(says)


def test_what_has_become_smaller_is_built_by_force(wanted: Wanted, tmp_path: Path) -> None:
    release(wanted, [limited(tmp_path / "mirror", None)], building("a"))
    later = replace(wanted, day=DAY + timedelta(days=14), output=tmp_path / "other")
    to, built = [limited(tmp_path / "mirror", 100)], list[str]()
    with pytest.raises(UsageError) as refused:
        told(replace(later, dry=True), to, built)
    assert "--force" in (refused.value.hint or "")
    assert told(replace(later, force=True), to, built)[0].ending is Ending.RELEASED


def test_an_earlier_output_in_the_same_place_tells_as_well(wanted: Wanted, tmp_path: Path) -> None:
    release(wanted, [limited(tmp_path / "mirror", None)], building("a"))
    built: list[str] = []
    with pytest.raises(UsageError, match="would not fit"):
        told(replace(wanted, day=DAY + timedelta(days=14)), [limited(tmp_path / "new", 100)], built)
    assert built == []
    (wanted.output / "files/release.json").write_text("[", encoding="utf-8")
    outcome, _ = told(replace(wanted, day=DAY + timedelta(days=14)), [limited(tmp_path / "new", 100)], built)
    assert outcome.ending is Ending.RELEASED  # nothing is known of it


LAST = Contents(
    version="2026.11.14",
    commit=None,
    images=(
        Image(name="cloud", file="cloud_1.raw", size=3 << 30, sha256=""),
        Image(name="gone", file="gone.raw", size=3 << 30, sha256=""),
    ),
    files=(
        ("cloud_1.azure.vhd", 3 << 30),
        ("cloud_1.qcow2", 1 << 30),
        ("cloud_1.raw", 3 << 30),
        ("cloud_1.vhd", 4 << 30),
        ("cloud_1.xyz", 9 << 30),
        ("gone.raw", 3 << 30),
    ),
)


def test_only_what_is_released_again_is_remembered_and_by_the_longest_suffix() -> None:
    found = ahead.remembered(LAST, ("cloud",), named("azure,qcow2"))
    assert [(one.name, one.of.name if one.of else "") for one in found] == [
        ("cloud_1.azure.vhd", "azure"),
        ("cloud_1.qcow2", "qcow2"),
        ("cloud_1.raw", ""),
    ]


@pytest.mark.parametrize(("formats", "advice"), [("azure,qcow2", "--formats qcow2 (1,073.7 MB"), ("azure", "compress")])
def test_what_would_fit_is_told(formats: str, advice: str) -> None:
    target = targets.find("github", GITHUB, Waits().patience())
    assert target.limit == LIMIT_BYTES
    with pytest.raises(UsageError) as refused:
        ahead.compared(ahead.remembered(LAST, ("cloud",), named(formats)), [target], force=False)
    assert "cloud_1.azure.vhd had 3,221,225,472 bytes" in refused.value.message
    assert "gone" not in refused.value.message
    assert advice in (refused.value.hint or "")
