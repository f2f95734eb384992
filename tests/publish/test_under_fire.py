"""Faults while something is published: the final state is that of an undisturbed release, or nothing is shown."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from forge_server import Answer, Fault
from shelves import Make, Shelf, on_directory, on_github, on_gitlab

from ci_toolkit.errors import ForgeError, HostError
from ci_toolkit.publish.files import Release
from ci_toolkit.publish.target import Target
from ci_toolkit.publish.wire import no_progress

pytestmark = pytest.mark.slow


def release_to(target: Target, release: Release) -> None:
    target.upload(release, lambda _name, _size: no_progress)
    target.publish(release)


def assert_whole(shelf: Shelf, release: Release) -> None:
    """People have every file with the digest that was verified; from a registry another program fetches the image."""
    found = shelf.published()
    if shelf.sends != "PATCH":
        (held,) = found.values()
        assert isinstance(held, dict)
        assert {name: hashlib.sha256(data).hexdigest() for name, data in held.items()} == {
            one.name: one.sha256 for one in release.files
        }
        return
    assert set(found) == {release.version, "latest"}
    argv = ("skopeo", "inspect", "--tls-verify=false", "--format={{.Digest}}", str(found[release.version]))
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
    assert said == release.containers[0].manifest.digest


@pytest.mark.parametrize("every", [3, 4, 5, 7, 11])
def test_every_nth_request_is_answered_500(served: Shelf, make: Make, every: int) -> None:
    served.only.every = every
    release = make()
    release_to(served.target, release)
    assert_whole(served, release)
    assert bool(served.waits.seconds) == (len(served.only.requests) >= every)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("said", [Answer(status=502), Answer(status=429), Answer(status=0)], ids=["502", "429", "cut"])
def test_a_fault_that_passes_leaves_no_trace(served: Shelf, make: Make, said: Answer, method: str, after: bool) -> None:
    """Before the forge acted, or after it, so that only the answer is lost."""
    content = {"message": "no", "documentation_url": "https://docs.example"}
    answer = Answer(status=said.status, content=content)
    served.only.faults.append(Fault(method=method, answer=answer, after=after))
    release = make()
    release_to(served.target, release)
    assert_whole(served, release)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("keeps", [False, True], ids=["lost", "kept"])
def test_a_connection_that_is_cut_within_a_body(served: Shelf, make: Make, share: float, keeps: bool) -> None:
    """Lost with all that was sent; or kept by a server that takes the part for the whole, as some do."""
    release = make()
    large = release.containers[0].blobs[-1].file if served.sends == "PATCH" else release.files[1]
    served.only.keeps_what_was_cut = keeps
    served.only.cuts = [(served.sends, int(large.size * share)), (served.sends, int(large.size * share))]
    release_to(served.target, release)
    assert_whole(served, release)
    assert served.only.cuts == []


def test_a_registry_is_not_sent_again_what_it_has(registry: Shelf, make: Make) -> None:
    """The upload of the layer is ended by a PUT: that fails, and later only that is made again."""
    release = make()
    content: dict[str, list[str]] = {"errors": []}
    registry.only.faults += [
        Fault(method="PUT", path_part="/blobs/", answer=Answer(status=500, content=content)) for _ in range(2)
    ]
    release_to(registry.target, release)
    assert_whole(registry, release)
    sent = sorted(len(one.body) for one in registry.only.requests if one.method == "PATCH")
    assert sent == sorted(blob.file.size for blob in release.containers[0].blobs)


@pytest.mark.parametrize("kind", ["github", "gitlab"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_wrong_digest_that_was_stored_is_replaced(kind: str, times: int, make: Make, tmp_path: Path) -> None:
    for shelf in {"github": on_github, "gitlab": on_gitlab}[kind](tmp_path):
        fake = shelf.only._work.__self__  # type: ignore[attr-defined] # the fake that answers
        fake.releases.damage = [lambda data: data + b"x"] * times
        release = make()
        release_to(shelf.target, release)
        assert_whole(shelf, release)
        assert fake.releases.damage == []


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_forge_that_stores_nothing_rightly_publishes_nothing(kind: str, make: Make, tmp_path: Path) -> None:
    for shelf in {"github": on_github, "gitlab": on_gitlab}[kind](tmp_path):
        fake = shelf.only._work.__self__  # type: ignore[attr-defined]
        fake.releases.damage = [lambda data: data + b"x"] * 99
        with pytest.raises(ForgeError, match="another digest"):
            release_to(shelf.target, make())
        assert shelf.published() == {}


@pytest.mark.parametrize("code", [401, 403])
def test_a_token_that_expires_while_files_are_sent_is_told_and_nothing_is_shown(
    served: Shelf, make: Make, code: int
) -> None:
    content = {"message": "Bad credentials", "documentation_url": "https://docs.example"}
    fault = Fault(method=served.sends, answer=Answer(status=code, content=content), times=999)
    served.only.faults.append(fault)
    release = make()
    with pytest.raises(ForgeError) as caught:
        release_to(served.target, release)
    assert str(code) in caught.value.message
    assert served.published() == {}
    served.only.faults.clear()
    release_to(served.target, release)
    assert_whole(served, release)


@pytest.mark.parametrize("content", ["<html>", {"data": []}, ["x"], 7], ids=str)
def test_an_answer_that_is_none_of_the_forges_is_no_traceback(served: Shelf, make: Make, content: object) -> None:
    served.only.faults += [
        Fault(method=m, answer=Answer(status=200, content=content), times=999) for m in ("GET", "POST")
    ]
    with pytest.raises(ForgeError):
        release_to(served.target, make())
    assert served.published() == {}
    served.only.violations.clear()  # they were the test's own


def test_a_forge_that_never_recovers_is_given_up(served: Shelf, make: Make) -> None:
    content = {"message": "no", "documentation_url": "https://docs.example"}
    served.only.faults += [
        Fault(method=method, answer=Answer(status=500, content=content), times=9999)
        for method in ("GET", "POST", "HEAD")
    ]
    with pytest.raises(ForgeError):
        release_to(served.target, make())
    assert sum(served.waits.seconds) <= 300


def test_a_full_disk_is_told_and_what_was_copied_is_not_copied_again(make: Make, tmp_path: Path) -> None:
    tiny = tmp_path / "mirror"
    tiny.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", tiny)
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mount(8) is not permitted here")
    release = make()
    try:
        for shelf in on_directory(tmp_path):
            with pytest.raises(HostError, match="disk is full"):
                release_to(shelf.target, release)
            assert shelf.published() == {}
            subprocess.run(("mount", "-o", "remount,size=4m", tiny), check=True)
            sent = shelf.target.upload(release, lambda _name, _size: no_progress)
            assert 0 < len(sent) < len(release.files) + 5
            shelf.target.publish(release)
            assert_whole(shelf, release)
    finally:
        subprocess.run(("umount", tiny), check=True)
