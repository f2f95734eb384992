"""examples/debian as people download it: a box, a qcow2 and container images, opened by other programs."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.integration.conftest import ROOT, Run, toolkit

pytestmark = pytest.mark.integration

FORMATS = "qcow2,vagrant-libvirt,oci,docker-archive"
ENGINE = "no container engine answers"


def sums(place: Path) -> dict[str, str]:
    """The SHA-256 of all results in PLACE, as they lie beside them."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(place.glob("*.sha256"))}


def convert(image: Path, output: Path, *, umask: int, variables: Mapping[str, str]) -> dict[str, str]:
    completed = subprocess.run(
        (sys.executable, "-m", "ci_toolkit", "convert", str(image), "--to", FORMATS, "--output", str(output)),
        cwd=ROOT, env=os.environ | variables, umask=umask, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert completed.returncode == 0, completed.stderr
    return sums(output)


@pytest.fixture(scope="module")
def results(debian: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("converted")
    convert(debian.output / "debian.raw", place, umask=0o022, variables={})
    return place


def run(*argv: str | Path, environment: Mapping[str, str] | None = None) -> str:
    if shutil.which(str(argv[0])) is None:
        pytest.skip(f"{argv[0]} is not installed")
    done = subprocess.run(
        argv,
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_builds_and_two_conversions_come_to_the_same_bytes(debian: Run, results: Path, tmp_path: Path) -> None:
    first, second = debian.report["builds"]
    assert first["artefacts"] == second["artefacts"]
    again = convert(debian.output / "debian.raw", tmp_path / "again", umask=0o077, variables={"TZ": "Asia/Kathmandu"})
    assert len(again) == 4
    assert again == sums(results)
    shutil.rmtree(tmp_path / "again")


def test_qemu_takes_the_qcow2(debian: Run, results: Path) -> None:
    run("qemu-img", "check", "-q", results / "debian.qcow2")
    run("qemu-img", "compare", "-q", results / "debian.qcow2", debian.output / "debian.raw")


def test_vagrant_takes_the_box(results: Path, tmp_path: Path) -> None:
    home = {"VAGRANT_HOME": str(tmp_path / "home"), "HOME": str(tmp_path), "VAGRANT_CHECKPOINT_DISABLE": "1"}
    run(
        "vagrant",
        "box",
        "add",
        "--name",
        "d",
        "--provider",
        "libvirt",
        results / "debian.libvirt.box",
        environment=home,
    )
    assert "d (libvirt, 0)" in run("vagrant", "box", "list", environment=home)


def test_skopeo_and_docker_take_the_container_image(results: Path) -> None:
    told = json.loads(run("skopeo", "inspect", f"oci:{results / 'debian.oci'}:latest"))
    assert (told["Architecture"], told["Os"]) == ("amd64", "linux")
    if shutil.which("docker") is None or subprocess.run(("docker", "info"), capture_output=True).returncode != 0:
        pytest.skip("no Docker engine answers")
    name = run("docker", "load", "--quiet", "--input", results / "debian.docker.tar").rpartition(": ")[2].strip()
    try:
        said = run(
            "docker", "run", "--rm", "--network=none", name, "sh", "-c", ". /etc/os-release; echo $ID; dpkg -s dbus"
        )
    finally:
        run("docker", "image", "rm", "--force", name)
    assert said.startswith("debian\nPackage: dbus\nStatus: install ok installed\n")


def boot(image: Path, output: Path, *arguments: str) -> Run:
    done = toolkit("boot", str(image), "--output", str(output), *arguments)
    if ENGINE in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    return Run(exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr, output=output)


def is_gone(done: Run) -> bool:
    """Tell whether nothing is left of the image, nor of a container of it, by the name that was told."""
    found = re.search(r"^container: (ci-toolkit-boot:[0-9a-f]{12}) in ", done.stderr, re.MULTILINE)
    assert found is not None, done.stderr
    named = run("docker", "images", "--format", "{{.Repository}}:{{.Tag}}") + run(
        "docker", "ps", "--all", "--format", "{{.Image}}"
    )
    return found[1] not in named.splitlines()


def script(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", ["debian.oci", "debian.docker.tar"])
def test_boot_runs_a_container_image_and_its_checks(results: Path, tmp_path: Path, name: str) -> None:
    good = script(tmp_path / "good", "#!/bin/sh -e\ngrep -q ^ID=debian /etc/os-release\ntest $(id -u) = 0\n")
    bad = script(tmp_path / "bad", "#!/bin/bash\necho oops >&2\nexit 3\n")
    done = boot(results / name, tmp_path / "out", "--check", good, "--check", bad)
    assert done.exit_code == 1, done.stderr
    (told,) = json.loads((tmp_path / "out/boot.json").read_text(encoding="utf-8"))["boots"]
    assert (told["firmware"], told["reason"]) == ("container", "")
    assert told["sign"] == "its command, which ended with exit code 0"
    assert [(one["name"], one["exit_code"], one["output"]) for one in told["checks"]] == [
        ("good", 0, ""), ("bad", 3, "oops\n"),
    ]  # fmt: skip
    assert '<testcase name="bad"' in (tmp_path / "out/boot.junit.xml").read_text(encoding="utf-8")
    assert is_gone(done)


def test_boot_checks_a_service_while_it_runs(results: Path, tmp_path: Path) -> None:
    command = "sh -c 'echo begun; touch /run/mark; exec sleep 1000'"
    here = script(tmp_path / "here", "test -e /run/mark\n")
    endless = script(tmp_path / "endless", "while true; do :; done\n")
    arguments = ("--command", command, "--check", here, "--check", endless, "--time-limit", "0.4")
    done = boot(results / "debian.docker.tar", tmp_path / "out", *arguments)
    (told,) = json.loads((tmp_path / "out/boot.json").read_text(encoding="utf-8"))["boots"]
    assert told["sign"] == "its command, which runs for 5 s", done.stderr
    assert told["ports"] == []
    assert [(one["exit_code"], one["reason"]) for one in told["checks"]] == [
        (0, ""), (None, "it was still running at the time limit"),
    ]  # fmt: skip
    assert (tmp_path / "out/container.log").read_text(encoding="utf-8") == "begun\n"
    assert is_gone(done)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("sh -c 'echo no such luck >&2; exit 4'", "its command ended with exit code 4: no such luck"),
        ("/usr/bin/none", "the container engine refused"),
    ],
)
def test_a_command_that_fails_is_told(results: Path, tmp_path: Path, command: str, reason: str) -> None:
    done = boot(results / "debian.docker.tar", tmp_path / "out", "--command", command)
    assert done.exit_code == 1, done.stderr
    (told,) = json.loads((tmp_path / "out/boot.json").read_text(encoding="utf-8"))["boots"]
    assert told["reason"].startswith(reason)
    assert is_gone(done)
