from pathlib import Path

import pytest

from ci_toolkit.host import confinement


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_filter_that_lets_a_build_through_is_no_obstacle() -> None:
    found = confinement.seccomp({}, "Seccomp:\t2\nSeccomp_filters:\t1\n")
    assert found.available
    assert found.reason == "seccomp filter, 1 filters; lets the calls of a build through"


def test_a_filter_that_refuses_is_shown_with_its_answers() -> None:
    found = confinement.seccomp({"unshare": "EPERM", "mount": "EPERM", "clone3": "ENOSYS"}, "Seccomp:\t2\n")
    assert not found.available
    assert found.reason == "seccomp filter; unshare, mount: EPERM; clone3: ENOSYS"


@pytest.mark.parametrize(
    ("profile", "available"),
    [("docker-default (enforce)\n", False), ("unconfined\n", True), ("unconfined\0", True)],
)
def test_an_apparmor_profile_confines_unless_it_is_unconfined(tmp_path: Path, profile: str, available: bool) -> None:
    write(tmp_path, "proc/self/attr/apparmor/current", profile)
    found = confinement.apparmor(tmp_path)
    assert found.available is available
    assert found.reason == f"profile {profile.strip(chr(0) + chr(10))}"


def test_the_older_file_counts_only_where_apparmor_is_on(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/attr/current", "system_u:system_r:container_t:s0:c1,c2")
    assert confinement.apparmor(tmp_path).available
    write(tmp_path, "sys/module/apparmor/parameters/enabled", "Y\n")
    write(tmp_path, "proc/self/attr/current", "docker-default (enforce)")
    assert not confinement.apparmor(tmp_path).available


def test_a_kernel_without_the_switches_forbids_nothing(tmp_path: Path) -> None:
    found = confinement.switches(tmp_path)
    assert found.available
    assert found.reason == "no such sysctl here"


@pytest.mark.parametrize(
    ("name", "against", "fix"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "user.max_user_namespaces=65536"),
    ],
)
def test_a_switch_that_is_against_us_is_named_with_what_turns_it(
    tmp_path: Path, name: str, against: str, fix: str
) -> None:
    write(tmp_path, f"proc/sys/{name}", f"{against}\n")
    found = confinement.switches(tmp_path)
    assert not found.available
    assert f"{name.replace('/', '.')}={against}" in found.reason
    assert found.fix.endswith(fix)


def test_a_switch_that_is_for_us_is_shown(tmp_path: Path) -> None:
    write(tmp_path, "proc/sys/kernel/apparmor_restrict_unprivileged_userns", "0\n")
    write(tmp_path, "proc/sys/user/max_user_namespaces", "96365\n")
    found = confinement.switches(tmp_path)
    assert found.available
    assert found.reason == "kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces=96365"
