"""Container images, inspected and copied by skopeo, loaded and run by Docker."""

import json
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

import bootable
import pytest
from bench import run
from bootable import Converted

from ci_toolkit.formats.oci import _repository

# Of the disks that tests make, as of those that people build, the newest file has the time of the build.
CREATED = "2023-11-14T22:13:20Z"


def inspected(image: str, *options: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("skopeo", "inspect", *options, image))
    return found


def test_skopeo_inspects_the_layout(converted: Converted) -> None:
    told = inspected(f"oci:{converted('oci')}:latest")
    assert (told["Architecture"], told["Os"], told["Created"]) == ("amd64", "linux", CREATED)
    assert len(told["Layers"]) == 1
    configuration = inspected(f"oci:{converted('oci')}:latest", "--config")
    assert configuration["config"]["Cmd"] == ["/usr/bin/bash"]


def test_skopeo_copies_both_and_checks_every_digest(tmp_path: Path, converted: Converted) -> None:
    sources = (f"oci:{converted('oci')}:latest", f"docker-archive:{converted('docker-archive')}")
    found = []
    for number, source in enumerate(sources):
        run("skopeo", "copy", "-q", "--insecure-policy", source, f"dir:{tmp_path}/{number}")
        manifest = json.loads((tmp_path / f"{number}/manifest.json").read_text())
        found.append(manifest["config"]["digest"])
    assert found[0] == found[1]


def test_docker_loads_and_runs_the_archive(tmp_path: Path, disk: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no Docker engine answers")
    name = f"ci-toolkit-test-{uuid.uuid4().hex[:12]}"
    image = tmp_path / f"{name}.raw"
    image.write_bytes(disk.read_bytes())
    (made,) = bootable.to(image, "docker-archive", tmp_path).results
    try:
        loaded = subprocess.run([docker, "load", "--quiet", "--input", made.path], capture_output=True, check=True)
        assert f"{name}:latest" in loaded.stdout.decode()
        said = subprocess.run(
            [docker, "run", "--rm", "--network=none", f"{name}:latest"], capture_output=True, check=True
        )
        assert said.stdout.decode() == f"{bootable.HELLO}\n"
    finally:
        subprocess.run([docker, "image", "rm", f"{name}:latest"], capture_output=True, check=False)


@pytest.mark.parametrize(
    ("name", "repository"), [("Arch_Linux 2026.01", "arch-linux-2026-01"), ("größe", "gr-e"), ("__", "image")]
)
def test_a_repository_is_called_after_the_image(name: str, repository: str) -> None:
    assert _repository(name) == repository
