"""A build that is told to do without packages has no network, as seen by a script that mkosi lets have one."""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from ci_toolkit.runners.container import LOCAL_IMAGE
from tests.integration import small
from tests.integration.conftest import ROOT

pytestmark = pytest.mark.integration

IMAGE = os.environ.get("CI_TOOLKIT_IMAGE", LOCAL_IMAGE)
SCRIPT = 'tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d " " | sort > "$BUILDROOT/interfaces"'


def interfaces(place: Path, *arguments: str) -> list[str]:
    """Build with ARGUMENTS for mkosi in a container and return the network interfaces that a script saw there."""
    if (
        shutil.which("docker") is None
        or subprocess.run(("docker", "image", "inspect", IMAGE), capture_output=True).returncode
    ):
        pytest.skip(f"no Docker engine with the image {IMAGE}")
    small.custom(place / "checkout", SCRIPT)
    called = ("build", str(place / "checkout/images"), "--runner", "container", "--output", str(place / "output"))
    completed = subprocess.run(
        (sys.executable, "-m", "ci_toolkit", *called, "--", "--with-network=yes", *arguments),
        env={**small.environ(), "PYTHONPATH": str(ROOT), "CI_TOOLKIT_IMAGE": IMAGE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    with tarfile.open(place / "output/small.tar") as archive:
        file = archive.extractfile("./interfaces")
        assert file is not None
        return file.read().decode().split()


def test_a_build_has_a_network_for_its_packages(tmp_path: Path) -> None:
    assert len(interfaces(tmp_path)) > 1


def test_one_that_takes_all_from_the_cache_has_none(tmp_path: Path) -> None:
    assert interfaces(tmp_path, "--cache-only=always") == ["lo"]
