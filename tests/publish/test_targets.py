"""What every kind of target promises."""

import pytest
from shelves import DAYS, Make, Shelf
from waits import Waits

from ci_toolkit.errors import ForgeError, UsageError
from ci_toolkit.publish import checksums, files, targets
from ci_toolkit.publish.files import Release
from ci_toolkit.publish.target import Target
from ci_toolkit.publish.wire import no_progress
from ci_toolkit.releases.past import newest

pytestmark = pytest.mark.slow


def upload(target: Target, release: Release) -> list[str]:
    return [one.name for one in target.upload(release, lambda _name, _size: no_progress)]


def versions(shelf: Shelf) -> set[str]:
    return {past.version for past in shelf.target.releases()}


def test_nothing_is_seen_before_it_is_published(shelf: Shelf, make: Make) -> None:
    release = make()
    assert upload(shelf.target, release)
    assert shelf.published() == {}
    assert versions(shelf) == set()
    assert shelf.target.publish(release)
    assert release.version in shelf.published()
    assert versions(shelf) == {release.version}


def test_what_is_there_is_not_sent_again(shelf: Shelf, make: Make) -> None:
    release = make()
    upload(shelf.target, release)
    assert upload(shelf.target, release) == []
    shelf.target.publish(release)
    before = shelf.published()
    assert upload(shelf.target, release) == []
    shelf.target.publish(release)
    assert shelf.published() == before


def test_what_is_not_whole_is_not_published(shelf: Shelf, make: Make) -> None:
    with pytest.raises(ForgeError):
        shelf.target.publish(make())
    assert shelf.published() == {}


def test_another_release_of_the_same_version_is_refused(shelf: Shelf, make: Make) -> None:
    release = make()
    upload(shelf.target, release)
    shelf.target.publish(release)
    before = shelf.published()
    with pytest.raises(ForgeError, match="another"):
        upload(shelf.target, make(word="other"))
    assert shelf.published() == before


def test_the_newest_is_found_and_one_in_the_middle_removed(shelf: Shelf, make: Make) -> None:
    for day in DAYS:
        release = make(day)
        upload(shelf.target, release)
        shelf.target.publish(release)
    found = shelf.target.releases()
    last = newest(found)
    assert last is not None
    assert last.version == DAYS[-1]
    shelf.target.remove(next(past for past in found if past.version == DAYS[1]))
    assert versions(shelf) == {DAYS[0], DAYS[2]}
    assert DAYS[1] not in shelf.published()
    shelf.target.remove(next(past for past in found if past.version == DAYS[1]))


def signed(release: Release, word: str) -> Release:
    """Return RELEASE with signatures of its list, which are others each time that they are made."""
    (place,) = {one.path.parent for one in release.files if one.name == checksums.NAME}
    for name in checksums.SIGNATURES:
        (place / name).write_text(f"{name} {word}", encoding="utf-8")
    return release.adding(*(files.file(place / name, name) for name in checksums.SIGNATURES))


def test_what_is_published_has_the_last_signatures_and_keeps_them(shelf: Shelf, make: Make) -> None:
    release = make()
    upload(shelf.target, signed(release, "first"))
    last = signed(release, "last")
    sent = upload(shelf.target, last)
    shelf.target.publish(last)
    before = shelf.published()
    found = before[release.version]
    if isinstance(found, dict):  # a registry has container images alone
        assert sorted(sent) == sorted(checksums.SIGNATURES)
        for name in checksums.SIGNATURES:
            assert found[name] == f"{name} last".encode()
    again = signed(release, "made once more")
    assert upload(shelf.target, again) == []
    shelf.target.publish(again)
    assert shelf.published() == before


@pytest.mark.parametrize(
    "text", ["", "s3:bucket", "dir:", "github:", "github:no", "gitlab", "oci:", "oci:host", "oci:host/Big", "oci:h//a"]
)
def test_what_is_no_target_is_told(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        targets.find(text, {"GITHUB_TOKEN": "t"}, Waits().patience())
    assert caught.value.hint


@pytest.mark.parametrize("token", ["", " ", "two\nlines", "ümlaut"])
def test_a_token_that_cannot_be_one_is_told_and_not_shown(token: str) -> None:
    with pytest.raises(UsageError) as caught:
        targets.find("github:a/b", {"GITHUB_TOKEN": token}, Waits().patience())
    assert not token.strip() or token not in f"{caught.value.message}{caught.value.hint}"
