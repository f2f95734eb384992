"""Image definitions that build in seconds, each in a git repository of its own, and an environment without a CI."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

CI_PREFIXES: Final = ("CI", "GITHUB_", "GITLAB_", "INPUT_", "FORGEJO_", "GITEA_", "RUNNER_")

# Taken out are what a package manager leaves of the build's clock and inodes.
DEBIAN: Final = """\
[Distribution]
Distribution=debian
Release=trixie

[Output]
Format=tar
CompressOutput=none
ImageId=small

[Content]
Packages=base-files
RemoveFiles=/var/cache/ldconfig/aux-cache
            /var/log/alternatives.log
            /var/log/dpkg.log
            /var/log/apt
"""

# No distribution and no network: what the skeleton holds is all.
CUSTOM: Final = """\
[Distribution]
Distribution=custom

[Output]
Format=tar
CompressOutput=none
ImageId=small
"""


def environ() -> dict[str, str]:
    """Return the environment of the tests without the CI system that runs them."""
    return {name: value for name, value in os.environ.items() if not name.startswith(CI_PREFIXES)}


def write(repository: Path, files: Mapping[str, str]) -> None:
    """Write FILES; what begins with #! is a program."""
    for name, text in files.items():
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755 if text.startswith("#!") else 0o644)


def custom(repository: Path, script: str) -> None:
    """Commit a definition whose image is a few files and what SCRIPT makes of them ($BUILDROOT)."""
    write(
        repository,
        {
            "images/mkosi.conf": CUSTOM,
            "images/mkosi.skeleton/usr/lib/os-release": "ID=small\nNAME=Small\n",
            "images/mkosi.skeleton/etc/motd": "Hello\n",
            "images/mkosi.postinst": f"#!/bin/sh\nset -eu\n{script}\n",
        },
    )
    commit(repository)


def commit(repository: Path) -> None:
    """Commit what is in REPOSITORY, which becomes a git repository with a remote that nobody asks."""
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org")
    made = (
        ("init", "--quiet", "--initial-branch=main"),
        ("remote", "add", "origin", "https://forge.invalid/images/cloud.git"),
    )
    for arguments in (
        *(() if (repository / ".git").exists() else made),
        ("add", "."),
        (*identity, "commit", "--quiet", "--message=One"),
    ):
        subprocess.run(("git", *arguments), cwd=repository, check=True, capture_output=True)
