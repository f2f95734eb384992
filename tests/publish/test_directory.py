"""What is a mirror's own: rsync, links, and what an earlier run left."""

import subprocess
from pathlib import Path

import pytest
from shelves import DAYS, Make, on_directory

from ci_toolkit.publish.wire import no_progress
from ci_toolkit.releases.past import Past

pytestmark = pytest.mark.slow


def test_rsync_copies_what_is_published_and_nothing_else(tmp_path: Path, make: Make) -> None:
    for shelf in on_directory(tmp_path):
        for day in DAYS[:2]:
            release = make(day)
            shelf.target.upload(release, lambda _name, _size: no_progress)
            if day == DAYS[0]:
                shelf.target.publish(release)
        copy = tmp_path / "copy"
        argv = ("rsync", "--archive", "--exclude=/.*", f"{tmp_path}/mirror/", f"{copy}/")
        subprocess.run(argv, check=True)
        assert sorted(path.name for path in copy.iterdir()) == [DAYS[0], "latest"]
        check = ("sha256sum", "--check", "--strict", "SHA256SUMS")
        subprocess.run(check, cwd=copy / "latest", check=True, capture_output=True)
        found = ("skopeo", "inspect", f"oci:{copy}/latest/cloud.oci")
        subprocess.run(found, check=True, capture_output=True)


def test_an_older_version_does_not_become_the_latest(tmp_path: Path, make: Make) -> None:
    for shelf in on_directory(tmp_path):
        for day in (DAYS[1], DAYS[0]):
            release = make(day)
            shelf.target.upload(release, lambda _name, _size: no_progress)
            shelf.target.publish(release)
        assert (tmp_path / "mirror/latest").readlink() == Path(DAYS[1])


def test_a_link_is_a_label_and_what_has_another_name_is_none_of_ours(tmp_path: Path, make: Make) -> None:
    for shelf in on_directory(tmp_path):
        release = make(DAYS[0])
        shelf.target.upload(release, lambda _name, _size: no_progress)
        shelf.target.publish(release)
        (tmp_path / "mirror/stable").symlink_to(DAYS[0])
        (tmp_path / "mirror/keys").mkdir()
        assert shelf.target.releases() == (Past(version=DAYS[0], labels=("stable",)),)


def test_what_was_begun_for_an_earlier_version_goes_with_the_next_one(tmp_path: Path, make: Make) -> None:
    for shelf in on_directory(tmp_path):
        shelf.target.upload(make(DAYS[0]), lambda _name, _size: no_progress)
        (tmp_path / "mirror/.2026.01.01.removed").mkdir()
        release = make(DAYS[1])
        shelf.target.upload(release, lambda _name, _size: no_progress)
        shelf.target.publish(release)
        assert sorted(path.name for path in (tmp_path / "mirror").iterdir()) == [DAYS[1], "latest"]


def test_a_file_that_the_release_has_no_more_is_not_published(tmp_path: Path, make: Make) -> None:
    for shelf in on_directory(tmp_path):
        shelf.target.upload(make(word="first"), lambda _name, _size: no_progress)
        (tmp_path / f"mirror/.{DAYS[-1]}.partial/stranger").touch()
        release = make()
        shelf.target.upload(release, lambda _name, _size: no_progress)
        shelf.target.publish(release)
        (held,) = shelf.published().values()
        assert isinstance(held, dict)
        assert set(held) == {one.name for one in release.files}
