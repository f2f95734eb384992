"""What is GitHub's own: starters, limits, names, digests that it does not know."""

from dataclasses import replace
from pathlib import Path

import pytest
from fake_github import REPOSITORY, TOKEN, FakeGitHub
from shelves import DAYS, Make
from waits import Waits

from ci_toolkit.publish import targets
from ci_toolkit.publish.files import File, Release
from ci_toolkit.publish.target import Target
from ci_toolkit.publish.wire import no_progress
from ci_toolkit.releases.past import Past


@pytest.fixture
def target(github: FakeGitHub) -> Target:
    environ = {"GITHUB_API_URL": github.server.url, "GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": REPOSITORY}
    return targets.find("github", environ, Waits().patience())


def upload(target: Target, release: Release) -> list[str]:
    return [one.name for one in target.upload(release, lambda _name, _size: no_progress)]


def test_what_a_broken_upload_left_is_replaced(target: Target, github: FakeGitHub, make: Make) -> None:
    release = make()
    upload(target, replace(release, files=release.files[:1]))
    github.releases.starter(release.version, "cloud.raw")
    github.releases.starter(release.version, "stranger")
    assert "cloud.raw" in upload(target, release)
    target.publish(release)
    assert set(github.releases.published()[release.version]) == {one.name for one in release.files}
    assert all("starter" in one for one in github.server.violations)
    github.server.violations.clear()  # GitHub's description knows no such state, its documentation does


def test_where_github_knows_no_digest_what_it_hands_out_is_read(target: Target, github: FakeGitHub, make: Make) -> None:
    github.releases.digests = False
    github.releases.damage = [lambda data: data[:-1] + b"x"]  # the size alone would not tell
    release = make()
    upload(target, release)
    target.publish(release)
    assert github.releases.published()[release.version] == {one.name: one.path.read_bytes() for one in release.files}


def test_the_token_goes_to_nobody_else(target: Target, github: FakeGitHub, make: Make) -> None:
    """An asset is on another host, to which GitHub redirects: here the same one, by another name."""
    release = make()
    upload(target, release)
    target.publish(release)
    github.releases.elsewhere = github.server.root.replace("127.0.0.1", "localhost")
    assert target.read(release.version, "cloud.manifest", 1000) == f"packages of {release.version}".encode()
    (asked,) = (one for one in github.server.requests if one.path.startswith("/download/"))
    assert "Authorization" not in asked.headers


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (File(name="big.raw", path=Path("big.raw"), size=2 * 1024**3, sha256=""), "smaller than 2 GiB"),
        (File(name="a~b.raw", path=Path("a"), size=1, sha256=""), "another name"),
        (File(name="a/b.raw", path=Path("a"), size=1, sha256=""), "another name"),
    ],
)
def test_what_github_does_not_take_is_told_before_anything_is_sent(
    target: Target, github: FakeGitHub, file: File, reason: str
) -> None:
    (obstacle,) = target.obstacles(Release(version=DAYS[0], files=(file,)))
    assert reason in obstacle
    assert github.server.requests == []


def test_a_thousand_assets_are_the_limit(target: Target) -> None:
    files = tuple(File(name=f"f{number}", path=Path("f"), size=1, sha256="") for number in range(1001))
    assert target.obstacles(Release(version=DAYS[0], files=files[:1000])) == ()
    assert len(target.obstacles(Release(version=DAYS[0], files=files))) == 1


def test_a_file_just_below_2_gib_is_taken(target: Target) -> None:
    file = File(name="big.raw", path=Path("big.raw"), size=2 * 1024**3 - 1, sha256="")
    assert target.obstacles(Release(version=DAYS[0], files=(file,))) == ()


def test_peoples_drafts_and_releases_of_other_names_are_left_alone(
    target: Target, github: FakeGitHub, make: Make
) -> None:
    for tag, body in ((DAYS[0], "A draft of mine"), ("v1", "")):
        github.releases.add(tag, body, draft=tag != "v1")
    release = make(DAYS[1])
    upload(target, release)
    target.publish(release)
    assert target.releases() == (Past(version=DAYS[1]),)
    target.remove(Past(version=DAYS[0]))
    assert {one["tag_name"] for one in github.releases.releases} == {DAYS[0], DAYS[1], "v1"}


def test_a_draft_that_an_earlier_release_left_goes_with_the_next_one(
    target: Target, github: FakeGitHub, make: Make
) -> None:
    upload(target, make(DAYS[0]))
    release = make(DAYS[1])
    upload(target, release)
    target.publish(release)
    assert [one["tag_name"] for one in github.releases.releases] == [DAYS[1]]


def test_a_title_that_somebody_gave_a_release_is_its_label(target: Target, github: FakeGitHub, make: Make) -> None:
    release = make()
    upload(target, release)
    target.publish(release)
    github.releases.releases[0]["name"] = "LTS"
    assert target.releases() == (Past(version=release.version, labels=("LTS",)),)


def test_releases_behind_many_pages_are_found(target: Target, github: FakeGitHub) -> None:
    for number in range(250):
        github.releases.add(f"2020{number % 12 + 1:02}{number % 28 + 1:02}.{number}", "")
    assert len(target.releases()) == 250


def test_the_release_is_of_the_commit_that_was_built(target: Target, github: FakeGitHub, make: Make) -> None:
    release = make()
    upload(target, release)
    assert github.releases.releases[0]["target_commitish"] == release.commit
    assert github.releases.releases[0]["body"].startswith("Notes\n")
