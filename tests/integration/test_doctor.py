"""The doctor in containers whose rights are known: it must find the truth of each."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ci_toolkit.runners.container import LOCAL_IMAGE, PYTHON

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
IMAGE = os.environ.get("CI_TOOLKIT_IMAGE", LOCAL_IMAGE)
MINIMUM = ("--cap-drop=ALL", "--cap-add=SETUID", "--cap-add=SETGID", "--cap-add=SETFCAP")


def docker(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(("docker", *arguments), capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The option that names the seccomp profile which the image prints."""
    if shutil.which("docker") is None or docker("image", "inspect", IMAGE).returncode != 0:
        pytest.skip(f"no Docker engine with the image {IMAGE}; `make image` builds it")
    path = tmp_path_factory.mktemp("profile") / "seccomp.json"
    path.write_text(docker("run", "--rm", "--network=none", IMAGE, "seccomp").stdout, encoding="utf-8")
    return f"--security-opt=seccomp={path}"


def inside(*options: str, entrypoint: str, arguments: tuple[str, ...]) -> "subprocess.CompletedProcess[str]":
    sources = ("-v", f"{ROOT}:{ROOT}:ro", "-e", f"PYTHONPATH={ROOT}", "-w", "/var/tmp")
    return docker("run", "--rm", "--network=none", *sources, *options, f"--entrypoint={entrypoint}", IMAGE, *arguments)


def doctor(*options: str) -> dict[str, Any]:
    """What the doctor of this checkout says in a container with OPTIONS."""
    completed = inside(*options, entrypoint=PYTHON, arguments=("-m", "ci_toolkit", "doctor", "--json", "/var/tmp"))
    document: dict[str, Any] = json.loads(completed.stdout)
    assert completed.returncode == (0 if document["runner"] else 3), completed.stderr
    return document


def found(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in document["capabilities"] if one["name"] == name)


def unshare_works(*options: str) -> bool:
    command = ("-c", "unshare --user --map-root-user --mount true")
    return inside(*options, entrypoint="/bin/sh", arguments=command).returncode == 0


def test_under_dockers_default_profile_a_virtual_machine_is_left_and_seccomp_is_named(profile: str) -> None:
    document = doctor()
    assert not unshare_works()
    assert document["runner"] == "vm"
    assert "seccomp" in found(document, "user-namespace-full")["found"]
    assert "unshare" in found(document, "seccomp")["found"]
    assert "ci-toolkit seccomp" in found(document, "user-namespace-full")["fix"]


@pytest.mark.parametrize("options", [(), MINIMUM, (*MINIMUM, "--security-opt=no-new-privileges")])
def test_under_our_profile_the_minimum_of_capabilities_will_do(profile: str, options: tuple[str, ...]) -> None:
    document = doctor(profile, *options)
    assert unshare_works(profile, *options)
    assert document["runner"] == "unprivileged"
    assert found(document, "seccomp")["available"]


def test_without_any_filter_the_doctor_sees_none(profile: str) -> None:
    document = doctor("--security-opt=seccomp=unconfined")
    assert found(document, "seccomp")["found"].startswith("seccomp off")
    assert document["runner"] == "unprivileged"


def test_without_setfcap_root_cannot_be_mapped_and_the_capability_is_named(profile: str) -> None:
    document = doctor(profile, "--cap-drop=ALL", "--cap-add=SETUID", "--cap-add=SETGID")
    assert document["runner"] != "unprivileged"
    assert "CAP_SETFCAP" in found(document, "user-namespace-full")["found"]


def test_without_any_capability_nothing_fits_and_virtiofsd_says_why(profile: str) -> None:
    document = doctor("--cap-drop=ALL")
    assert document["runner"] is None
    assert "Operation not permitted" in found(document, "virtiofsd")["found"]


def test_a_plain_user_gets_one_id_and_not_all(profile: str) -> None:
    options = (profile, "--user=4711:4711")
    document = doctor(*options)
    assert unshare_works(*options)
    assert found(document, "user-namespace-single")["available"]
    assert not found(document, "user-namespace-full")["available"]
    assert "/etc/subuid" in found(document, "user-namespace-full")["found"]
    assert not found(document, "owners")["available"]


GRANTED = "useradd --uid 1234 --create-home user"
CAPABLE = "cd /usr/bin; chmod u-s newuidmap newgidmap; setcap cap_setuid=ep newuidmap; setcap cap_setgid=ep newgidmap"


def doctor_of_user(profile: str, preparation: str, *options: str) -> dict[str, Any]:
    """What the doctor says to a plain user, once root has done PREPARATION."""
    call = f"exec setpriv --reuid=1234 --regid=1234 --clear-groups {PYTHON} -m ci_toolkit doctor --json /var/tmp"
    completed = inside(profile, *options, entrypoint="sh", arguments=("-ec", f"{preparation}; cd /var/tmp; {call}"))
    document: dict[str, Any] = json.loads(completed.stdout)
    return document


def test_a_plain_user_with_granted_ids_needs_newuidmap_with_a_capability_and_is_told_so(profile: str) -> None:
    refused = found(doctor_of_user(profile, GRANTED), "user-namespace-full")
    assert not refused["available"]
    assert refused["fix"] == f"As root: {CAPABLE}."
    assert doctor_of_user(profile, f"{GRANTED}; {CAPABLE}")["runner"] == "unprivileged"


def test_without_new_privileges_newuidmap_has_none_and_that_is_told(profile: str) -> None:
    options = ("--security-opt=no-new-privileges",)
    refused = found(doctor_of_user(profile, f"{GRANTED}; {CAPABLE}", *options), "user-namespace-full")
    assert not refused["available"]
    assert "no-new-privileges" in refused["fix"]


def test_a_filter_that_kills_is_a_reason_and_not_a_crash(profile: str, tmp_path: Path) -> None:
    rules = json.loads(Path(profile.rpartition("=")[2]).read_text(encoding="utf-8"))
    for entry in rules["syscalls"]:
        entry["names"] = [name for name in entry["names"] if name != "mount"]
    rules["syscalls"].append({"names": ["mount"], "action": "SCMP_ACT_KILL"})
    path = tmp_path / "kill.json"
    path.write_text(json.dumps(rules), encoding="utf-8")
    document = doctor(f"--security-opt=seccomp={path}")
    assert found(document, "user-namespace-full")["available"]
    assert "kills the caller" in found(document, "mount-in-namespace")["found"]


def test_an_engine_whose_paths_are_not_ours_is_not_taken(profile: str) -> None:
    socket = Path("/var/run/docker.sock")
    if not socket.exists():
        pytest.skip(f"{socket} is not there")
    document = doctor("-v", f"{socket}:{socket}")
    assert document["runner"] == "vm"
    assert "another directory" in found(document, "container-engine")["found"]
    shared = doctor("-v", f"{socket}:{socket}", "-v", "/var/tmp:/var/tmp")
    assert shared["runner"] == "container"
