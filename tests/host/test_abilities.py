from pathlib import Path

import pytest

from ci_toolkit.host import abilities
from ci_toolkit.host.capabilities import Capability

EPERM = "Operation not permitted"
UNTRIED = "not tried: no user namespace"

# What host.trials wrote in a container under Docker 20.10's default profile.
DOCKER_DEFAULT = f"""
{{"trial": "call:unshare", "refused": "{EPERM}"}}
{{"trial": "call:clone", "refused": "{EPERM}"}}
{{"trial": "call:clone3", "refused": "Function not implemented"}}
{{"trial": "call:setns", "refused": "{EPERM}"}}
{{"trial": "call:mount", "refused": "{EPERM}"}}
{{"trial": "call:chroot", "refused": null}}
{{"trial": "user-namespace-single", "refused": "unshare(CLONE_NEWUSER): {EPERM}"}}
{{"trial": "user-namespace-full", "refused": "unshare(CLONE_NEWUSER): {EPERM}"}}
{{"trial": "user-namespace-shifted", "refused": "unshare(CLONE_NEWUSER): {EPERM}"}}
"""


def judged(trials: dict[str, str | None], root: Path, *, privileged: bool = False) -> dict[str, Capability]:
    return {one.name: one for one in abilities.judge(trials, UNTRIED, root=root, privileged=privileged)}


@pytest.fixture
def works() -> dict[str, str | None]:
    return dict.fromkeys(abilities.EXPLAINED)


def test_half_a_line_of_a_killed_child_is_left_out() -> None:
    assert abilities.parse('{"trial": "a", "refused": null}\n{"trial": "b", "ref') == {"a": None}


def test_everything_that_works_is_available_with_a_reason(works: dict[str, str | None], tmp_path: Path) -> None:
    found = judged(works, tmp_path)
    assert all(one.available for one in found.values())
    assert found["mount-in-namespace"].reason == "tried, works"


def test_every_check_has_a_finding_a_why_and_a_fix(works: dict[str, str | None], tmp_path: Path) -> None:
    nothing: dict[str, str | None] = {}
    for trials in (works, nothing, works | dict.fromkeys(works, EPERM)):
        assert all(one.reason and one.why and one.fix for one in judged(trials, tmp_path).values())


def test_under_dockers_default_profile_seccomp_is_blamed(tmp_path: Path) -> None:
    found = judged(abilities.parse(DOCKER_DEFAULT), tmp_path)
    assert not found["seccomp"].available
    assert "unshare, clone, setns, mount: Operation not permitted" in found["seccomp"].reason
    assert "clone3: Function not implemented" in found["seccomp"].reason
    assert "chroot" not in found["seccomp"].reason
    assert "seccomp" in found["user-namespace-full"].reason
    assert "ci-toolkit seccomp" in found["user-namespace-full"].fix
    assert found["mount-in-namespace"].reason == UNTRIED


def test_under_ubuntus_restriction_the_sysctl_is_blamed(works: dict[str, str | None], tmp_path: Path) -> None:
    sysctl = tmp_path / "proc/sys/kernel/apparmor_restrict_unprivileged_userns"
    sysctl.parent.mkdir(parents=True)
    sysctl.write_text("1\n", encoding="ascii")
    # There the namespace is made, and every mount in it refused.
    found = judged(works | dict.fromkeys(abilities.MOUNTS, f"mount tmpfs: {EPERM}"), tmp_path)
    assert found["user-namespace-full"].available
    assert not found["mount-in-namespace"].available
    assert "sysctl" in found["mount-in-namespace"].reason
    assert "kernel.apparmor_restrict_unprivileged_userns=0" in found["mount-in-namespace"].fix


def test_a_refusal_that_explains_itself_is_left_alone(works: dict[str, str | None], tmp_path: Path) -> None:
    reason = "no CAP_SETUID, and /etc/subuid grants nothing to alice"
    found = judged(works | {"user-namespace-full": reason, "call:unshare": EPERM}, tmp_path)
    assert found["user-namespace-full"].reason == reason
    assert "subuids" in found["user-namespace-full"].fix


def test_root_is_told_of_capabilities_and_others_of_subuid(works: dict[str, str | None], tmp_path: Path) -> None:
    refused = works | {"user-namespace-full": "writing '0 0 65536' to uid_map: refused"}
    assert "CAP_SETFCAP" in judged(refused, tmp_path, privileged=True)["user-namespace-full"].fix
    assert "uidmap" in judged(refused, tmp_path)["user-namespace-full"].fix


def test_one_missing_mount_is_named(works: dict[str, str | None], tmp_path: Path) -> None:
    found = judged(works | {"mount-overlay": "mount overlay: No such device"}, tmp_path)
    assert found["mount-in-namespace"].reason == "mount-overlay: mount overlay: No such device"
    assert "overlay" in found["mount-in-namespace"].fix


def test_a_procfs_that_cannot_be_had_keeps_nobody_from_building(works: dict[str, str | None], tmp_path: Path) -> None:
    found = judged(works | {"fresh-proc": f"mount proc: {EPERM}"}, tmp_path)
    assert not found["fresh-proc"].available
    assert found["mount-in-namespace"].available
