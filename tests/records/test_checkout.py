import subprocess
from pathlib import Path

import pytest
import recorded
import served

from ci_toolkit.errors import UnreadableError, UsageError
from ci_toolkit.records import checkout
from ci_toolkit.records.record import Record


def git(repository: Path, *arguments: str) -> str:
    argv = ("git", "-C", str(repository), "-c", "user.name=T", "-c", "user.email=t@example.org", *arguments)
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits; the first is the one that was built."""
    place = tmp_path / "repository"
    (place / "images").mkdir(parents=True)
    git(place, "init", "--quiet")
    for number in ("one", "two"):
        (place / "images/mkosi.conf").write_text(f"# {number}\n")
        git(place, "add", ".")
        git(place, "commit", "--quiet", f"--message={number}")
    return place


def record(repository: Path, address: str | None = None) -> Record:
    return recorded.origin(commit=git(repository, "rev-parse", "HEAD~"), directory="images", repository=address)


def target(tmp_path: Path) -> Path:
    place = tmp_path / "target"
    place.mkdir()
    return place


def test_the_commit_comes_from_a_repository_of_the_callers(repository: Path, tmp_path: Path) -> None:
    wanted = record(repository, "https://forge.example/a.git")
    place = checkout.check_out(wanted, str(repository), target(tmp_path), {})
    assert (place / "mkosi.conf").read_text() == "# one\n"
    assert git(place, "rev-parse", "HEAD") == wanted.origin.commit
    assert git(place, "remote", "get-url", "origin") == "https://forge.example/a.git"


def test_or_over_http_from_what_any_web_server_hands_out(repository: Path, tmp_path: Path) -> None:
    git(repository, "update-server-info")
    with served.directory(repository / ".git") as address:
        place = checkout.check_out(record(repository, address), None, target(tmp_path), {}, loopback=True)
    assert (place / "mkosi.conf").read_text() == "# one\n"


def test_somebody_elses_record_asks_nothing_of_this_machine(repository: Path, tmp_path: Path) -> None:
    with served.directory(repository / ".git") as address, pytest.raises(UnreadableError, match="this machine itself"):
        checkout.check_out(record(repository, address), None, target(tmp_path), {})


@pytest.mark.parametrize(
    "address", ["ext::sh -c touch% /tmp/x", "file:///", "/", "--upload-pack=x", "ssh://x/y", "http://x/y"]
)
def test_nothing_but_https_is_cloned(repository: Path, tmp_path: Path, address: str) -> None:
    with pytest.raises(UnreadableError, match="nothing is cloned"):
        checkout.check_out(record(repository, address), None, target(tmp_path), {})


def test_a_commit_that_is_not_there_is_told_in_one_line(repository: Path, tmp_path: Path) -> None:
    wanted = recorded.origin(commit="f" * 40, directory="images")
    with pytest.raises(UnreadableError) as refused:
        checkout.check_out(wanted, str(repository), target(tmp_path), {})
    assert "\n" not in refused.value.message


def test_a_record_without_a_commit_takes_the_files_that_are_named(tmp_path: Path) -> None:
    bare = recorded.origin(commit=None, directory="images")
    assert checkout.check_out(bare, str(tmp_path), target(tmp_path), {}) == tmp_path / "images"
    for source in (None, "https://forge.example/a.git"):
        with pytest.raises(UsageError):
            checkout.check_out(bare, source, tmp_path, {})


def test_nothing_that_a_repository_names_is_run(repository: Path, tmp_path: Path) -> None:
    """Neither a hook of the machine's templates nor a filter that the machine's user has set."""
    home = tmp_path / "home"
    (home / "templates/hooks").mkdir(parents=True)
    hook = home / "templates/hooks/post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    (home / ".gitconfig").write_text(
        f'[init]\ntemplateDir = {home}/templates\n[filter "evil"]\nsmudge = touch {tmp_path}/ran; cat\n'
    )
    (repository / ".gitattributes").write_text("* filter=evil\n")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=three")
    wanted = recorded.origin(commit=git(repository, "rev-parse", "HEAD"), directory="images")
    checkout.check_out(wanted, str(repository), target(tmp_path), {"HOME": str(home), "GIT_TEMPLATE_DIR": str(home)})
    assert not (tmp_path / "ran").exists()
