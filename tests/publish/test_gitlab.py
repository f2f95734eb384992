"""What is GitLab's own: duplicates, job tokens, links."""

from dataclasses import replace
from pathlib import Path

import fake_gitlab
import pytest
from fake_gitlab import FakeGitLab
from shelves import DAYS, Make
from waits import Waits

from ci_toolkit.errors import ForgeError
from ci_toolkit.publish import targets
from ci_toolkit.publish.files import File, Release
from ci_toolkit.publish.target import Target
from ci_toolkit.publish.wire import no_progress


@pytest.fixture(params=["CI_JOB_TOKEN", "GITLAB_TOKEN"])
def target(gitlab: FakeGitLab, request: pytest.FixtureRequest) -> Target:
    token = {"CI_JOB_TOKEN": fake_gitlab.JOB_TOKEN, "GITLAB_TOKEN": fake_gitlab.TOKEN}[request.param]
    environ = {"CI_API_V4_URL": gitlab.api_url, "CI_PROJECT_ID": "7", request.param: token}
    return targets.find("gitlab:cloud", environ, Waits().patience())


def upload(target: Target, release: Release) -> list[str]:
    return [one.name for one in target.upload(release, lambda _name, _size: no_progress)]


def test_a_file_of_another_try_is_removed_since_gitlab_keeps_both(
    target: Target, gitlab: FakeGitLab, make: Make
) -> None:
    upload(target, make(word="first"))
    release = make()
    assert "cloud.raw" in upload(target, release)
    target.publish(release)
    names = [one["file_name"] for files in gitlab.releases.files.values() for one in files]
    assert len(names) == len(set(names)) == len(release.files)
    assert gitlab.releases.published()[release.version]["cloud.raw"] == release.files[2].path.read_bytes()


def test_where_a_group_forbids_duplicates_nothing_is_sent_twice(target: Target, gitlab: FakeGitLab, make: Make) -> None:
    gitlab.releases.duplicates = False
    upload(target, make(word="first"))
    release = make()
    upload(target, release)
    assert upload(target, release) == []
    target.publish(release)


def test_the_release_links_to_every_file_and_images_are_told_apart(
    target: Target, gitlab: FakeGitLab, make: Make
) -> None:
    release = make()
    upload(target, release)
    target.publish(release)
    (found,) = gitlab.releases.releases
    kinds = {link["name"]: link["link_type"] for link in found["assets"]["links"]}
    assert kinds == {one.name: "image" if one.name == "cloud.raw" else "other" for one in release.files}


def test_a_package_of_a_name_that_holds_ours_is_another(target: Target, gitlab: FakeGitLab, make: Make) -> None:
    """GitLab's filter by name finds parts of names, too."""
    other = targets.find(
        "gitlab:cloud-next",
        {"CI_API_V4_URL": gitlab.api_url, "CI_PROJECT_ID": "7", "GITLAB_TOKEN": fake_gitlab.TOKEN},
        Waits().patience(),
    )
    upload(other, make(word="next"))
    release = make()
    upload(target, release)
    target.publish(release)
    target.remove(target.releases()[0])
    assert [package["name"] for package in gitlab.releases.packages] == ["cloud-next"]


def test_a_release_of_a_commit_that_is_not_known_is_told(target: Target, gitlab: FakeGitLab, make: Make) -> None:
    release = replace(make(), commit=None)
    upload(target, release)
    gitlab.releases.refs = False
    with pytest.raises(ForgeError, match="Ref is not specified"):
        target.publish(release)


@pytest.mark.parametrize(
    "file",
    [
        File(name="big.raw", path=Path("big.raw"), size=5 * 1024**3 + 1, sha256=""),
        File(name="a~", path=Path("a"), size=1, sha256=""),
        File(name="a/b.raw", path=Path("a"), size=1, sha256=""),
    ],
)
def test_what_gitlab_does_not_take_is_told_before_anything_is_sent(
    target: Target, gitlab: FakeGitLab, file: File
) -> None:
    assert len(target.obstacles(Release(version=DAYS[0], files=(file,)))) == 1
    assert gitlab.server.requests == []
