"""A user without any ids but his own, in the toolkit's container under the shipped profile."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_toolkit.runners.container import LOCAL_IMAGE
from ci_toolkit.runners.single_id import WARNING
from tests.integration import small

pytestmark = pytest.mark.integration

IMAGE = os.environ.get("CI_TOOLKIT_IMAGE", LOCAL_IMAGE)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory that is mounted at /mnt, with the seccomp profile and a place that any user may write to."""
    printed = subprocess.run(("docker", "run", "--rm", "--network=none", IMAGE, "seccomp"), capture_output=True)
    if printed.returncode != 0:
        pytest.skip(f"no Docker engine with the image {IMAGE}")
    (tmp_path / "seccomp.json").write_bytes(printed.stdout)
    tmp_path.chmod(0o755)
    for name in ("written", "nothing"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o1777)
    yield tmp_path
    # What belongs to another user is not always left to be removed.
    subprocess.run(
        ("docker", "run", "--rm", f"--volume={tmp_path}:/mnt", "--entrypoint=rm", IMAGE, "-rf", "/mnt/written")
    )


def toolkit(place: Path, verb: str, runner: str, *options: str) -> "subprocess.CompletedProcess[str]":
    called = (verb, "/mnt/checkout/images", "--runner", runner, "--output", "/mnt/written/output")
    contained = ("--network=none", "--user=1234:1234", f"--security-opt=seccomp={place}/seccomp.json", *options)
    argv = ("docker", "run", "--rm", f"--volume={place}:/mnt", *contained, IMAGE, *called)
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_asked_for_it_builds_and_warns_in_the_log_and_in_the_report(place: Path) -> None:
    small.custom(place / "checkout", 'mkdir "$BUILDROOT/srv" && echo one > "$BUILDROOT/srv/file"')
    completed = toolkit(place, "verify", "single-id")
    assert completed.returncode == 0, completed.stderr
    assert f"warning: {WARNING}" in completed.stderr
    assert WARNING in (place / "written/output/report.json").read_text(encoding="utf-8")
    listed = subprocess.run(
        ("tar", "--list", "--verbose", "--numeric-owner", "--file", place / "written/output/small.tar"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert {line.split()[1] for line in listed.stdout.splitlines()} == {"0/0"}


def test_a_script_that_gives_a_file_away_is_told_why_it_cannot(place: Path) -> None:
    small.custom(place / "checkout", 'mkdir "$BUILDROOT/srv" && chown 33:12 "$BUILDROOT/srv"')
    completed = toolkit(place, "build", "single-id")
    assert completed.returncode == 4
    assert "the build's namespace lacks that id" in completed.stderr


def test_it_is_not_taken_unasked_but_named_with_the_others_reasons(place: Path) -> None:
    small.custom(place / "checkout", "true")
    # Without a kernel there is no virtual machine either.
    completed = toolkit(place, "build", "auto", f"--volume={place}/nothing:/usr/lib/ci-toolkit")
    assert completed.returncode == 3
    assert "/etc/subuid grants nothing to 1234" in completed.stderr
    assert "single-id: would work, but is only taken when asked for (--runner single-id)" in completed.stderr
