import subprocess
from pathlib import Path

import pytest

from ci_toolkit.records import addresses


@pytest.mark.parametrize(
    ("given", "cloned"),
    [
        ("https://forge.example/a/b.git", "https://forge.example/a/b.git"),
        ("https://gitlab-ci-token:glcbt-64@forge.example:8443/a/b.git", "https://forge.example:8443/a/b.git"),
        ("git@forge.example:a/b.git", "https://forge.example/a/b.git"),
        ("ssh://git@forge.example:2222/a/b.git", "https://forge.example/a/b.git"),
        ("git://forge.example/a/b", "https://forge.example/a/b"),
        ("http://127.0.0.1:8000/a.git", "http://127.0.0.1:8000/a.git"),
        ("https://u@[::1]:80/a", "https://[::1]:80/a"),
        ("https://forge.example/a?token=x#y", "https://forge.example/a"),
        ("/srv/git/a.git", None),
        ("../a", None),
        ("file:///srv/git/a.git", None),
        ("ext::sh -c date", None),
        ("https://[broken", None),
        ("https://forge.example:port/a", None),
        ("", None),
    ],
)
def test_a_remote_becomes_what_anybody_clones(given: str, cloned: str | None) -> None:
    assert addresses.cloned(given) == cloned


def test_git_takes_what_is_made_of_its_short_form_for_the_same_place(tmp_path: Path) -> None:
    """git's own reading of the short form names the host and the path that the address has."""
    (tmp_path / "ssh").write_text('#!/bin/sh\necho "$@" > "$ASKED"\nexit 1\n')
    (tmp_path / "ssh").chmod(0o755)
    asked = tmp_path / "asked"
    environ = {
        "PATH": "/usr/bin:/bin",
        "GIT_SSH": str(tmp_path / "ssh"),
        "GIT_SSH_VARIANT": "simple",
        "ASKED": str(asked),
    }
    subprocess.run(("git", "ls-remote", "git@forge.example:a/b.git"), env=environ, check=False, capture_output=True)
    assert asked.read_text().split() == ["git@forge.example", "git-upload-pack", "'a/b.git'"]
    assert addresses.cloned("git@forge.example:a/b.git") == "https://forge.example/a/b.git"


@pytest.mark.parametrize(
    "address", ["https://example.org/x", "http://127.0.0.1:80/x", "http://localhost/x", "http://[::1]/x"]
)
def test_https_is_fetched_and_http_of_this_machine(address: str) -> None:
    assert addresses.may_fetch(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org/x",
        "http://127.0.0.1.example.org/x",
        "http://169.254.169.254/x",
        "file:///etc/passwd",
        "ftp://example.org/x",
        "https:///x",
        "https://u:p@example.org/x",
        "https://example.org:x/",
        "https://example.org/a b",
        "https://example.org/\n",
        "https://" + "x" * 3000,
        "x",
    ],
)
def test_nothing_else_is(address: str) -> None:
    assert addresses.may_fetch(address) is not None
