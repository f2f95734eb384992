import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ci_toolkit.host import namespaces
from ci_toolkit.host.namespaces import (
    IdRange,
    covers,
    direct_map,
    effective_capabilities,
    helper_arguments,
    id_inside,
    parse_grants,
)

ROOT_IN_DOCKER = "Name:\tsh\nUmask:\t0022\nCapInh:\t0000000000000000\nCapEff:\t00000000a80425fb\nSeccomp:\t2\n"
PLAIN_USER = "Name:\tsh\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n"


def test_the_capabilities_of_dockers_root_are_those_that_an_id_map_needs() -> None:
    # 00000000a80425fb is Docker's default set, as capsh --decode names it.
    assert effective_capabilities(ROOT_IN_DOCKER) == {"CAP_SETUID", "CAP_SETGID", "CAP_SETFCAP"}
    assert namespaces.may_write_maps(ROOT_IN_DOCKER)


def test_a_plain_user_may_not_write_maps() -> None:
    assert effective_capabilities(PLAIN_USER) == frozenset()
    assert not namespaces.may_write_maps(PLAIN_USER)


def test_a_field_that_is_not_there_is_none() -> None:
    assert namespaces.status_field("Seccomp", ROOT_IN_DOCKER) == "2"
    assert namespaces.status_field("NoNewPrivs", ROOT_IN_DOCKER) is None


def test_our_own_umask_is_read_as_the_shell_reads_it() -> None:
    shell = subprocess.run(("sh", "-c", "umask"), capture_output=True, text=True, check=True)
    assert namespaces.status_field("Umask") == shell.stdout.strip()


def test_grants_are_found_by_name_and_by_number_and_nobody_elses_are() -> None:
    text = "alice:100000:65536\nbob:165536:65536\n1000:300000:10\n\nodd line\nalice:x:y\nalice:5\n"
    assert parse_grants(text, user="alice", user_id=1000) == (
        IdRange(first=100_000, count=65_536),
        IdRange(first=300_000, count=10),
    )


def test_root_inside_is_the_caller_and_the_rest_is_granted() -> None:
    ranges = (IdRange(first=100_000, count=65_536),)
    assert helper_arguments(7, 1000, ranges, 65_536) == ("7", "0", "1000", "1", "1", "100000", "65535")


def test_several_small_grants_are_joined() -> None:
    ranges = (IdRange(first=100, count=4), IdRange(first=900, count=50))
    assert helper_arguments(7, 1000, ranges, 10) == ("7", "0", "1000", "1", "1", "100", "4", "5", "900", "5")


def test_too_few_granted_ids_are_refused() -> None:
    assert helper_arguments(7, 1000, (IdRange(first=100_000, count=1000),), 65_536) is None


@pytest.mark.parametrize(
    ("text", "first", "count", "expected"),
    [
        ("         0          0 4294967295\n", 0, 65_536, True),
        ("         0       1000          1\n", 0, 65_536, False),
        ("         0       1000          1\n         1     100000      65536\n", 0, 65_536, True),
        ("         1     100000      65536\n         0       1000          1\n", 0, 65_536, True),
        ("         0       1000          1\n         1     100000      65536\n", 100_000, 65_536, False),
        ("", 0, 1, False),
    ],
)
def test_ids_are_covered_when_every_one_is_mapped(text: str, first: int, count: int, expected: bool) -> None:
    assert covers(text, first, count) is expected


ROOTLESS = "         0       1000          1\n         1     100000      65536\n"


def test_a_map_has_a_line_for_each_extent_of_the_namespace_above() -> None:
    assert direct_map("         0          0 4294967295\n", 100_000, 65_536) == ("0 100000 65536",)
    assert direct_map(ROOTLESS, 0, 65_536) == ("0 0 1", "1 1 65535")
    assert direct_map(ROOTLESS, 1, 65_536) == ("0 1 65536",)


def test_the_id_of_a_user_is_another_one_inside() -> None:
    assert id_inside(ROOTLESS, 1000) == 0
    assert id_inside(ROOTLESS, 100_033) == 34
    assert id_inside(ROOTLESS, 1001) is None
    assert id_inside("         0          0 4294967295\n", 1000) == 1000


def test_in_a_rootless_engines_namespace_the_kernel_takes_the_map() -> None:
    if os.geteuid() != 0 or shutil.which("nsenter") is None:
        pytest.skip("only root may map ids as a rootless engine does, and nsenter (util-linux) enters")
    child = unshared()
    nested = (
        "import os; from ci_toolkit.host import namespaces, syscalls, trials\n"
        "def write(pid): return namespaces.write_id_maps(pid, first_id=0)\n"
        "trials.enter(write); print(open('/proc/self/uid_map').read(), os.getuid())"
    )
    try:
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{child.pid}/{name}").write_text("0 0 1\n1 100000 65536", encoding="ascii")
        inside = subprocess.run(
            ("nsenter", "--user", f"--target={child.pid}", "--setuid=0", "--setgid=0", sys.executable, "-c", nested),
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[2],
        )
    except PermissionError as error:
        pytest.skip(f"no map can be written here: {error}")
    finally:
        child.communicate("\n")
    assert inside.stderr == ""
    assert inside.stdout.split() == ["0", "0", "1", "1", "1", "65535", "0"]


def test_a_process_that_is_gone_is_a_reason_and_not_an_exception() -> None:
    gone = subprocess.Popen(("true",))
    gone.wait()
    assert namespaces.write_single_id_map(gone.pid) is not None


def unshared() -> "subprocess.Popen[str]":
    """A program in a user namespace without ids, once it is there."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare (util-linux) is not installed")
    child = subprocess.Popen(
        ("unshare", "--user", "sh", "-c", "echo ready; read line; id -u; id -g"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdout is not None
    if child.stdout.readline() != "ready\n":
        child.communicate()
        pytest.skip("unshare refuses a user namespace here")
    return child


def map_of(pid: int, name: str) -> list[str]:
    return Path(f"/proc/{pid}/{name}").read_text(encoding="ascii").split()


def test_the_kernel_has_the_map_that_was_written() -> None:
    child = unshared()
    try:
        refused = namespaces.write_id_maps(child.pid, first_id=100_000)
        found = map_of(child.pid, "uid_map"), map_of(child.pid, "gid_map")
    finally:
        output, _ = child.communicate("\n")
    if refused is not None:
        pytest.skip(f"no full map can be written here: {refused}")
    if namespaces.may_write_maps():
        assert found == (["0", "100000", "65536"],) * 2
        assert output.split() == ["65534", "65534"], "the program's own id is not among those mapped"
    else:
        assert found[0][:3] == ["0", str(os.geteuid()), "1"]
        assert output.split()[0] == "0"


def test_a_single_id_makes_the_caller_root() -> None:
    child = unshared()
    try:
        refused = namespaces.write_single_id_map(child.pid)
        found = map_of(child.pid, "uid_map")
    finally:
        output, _ = child.communicate("\n")
    if refused is not None:
        pytest.skip(f"no map can be written here: {refused}")
    assert found == ["0", str(os.geteuid()), "1"]
    assert output.split() == ["0", "0"]


def test_a_second_map_is_refused_with_the_kernels_reason() -> None:
    child = unshared()
    try:
        first = namespaces.write_single_id_map(child.pid)
        second = namespaces.write_single_id_map(child.pid)
    finally:
        child.communicate("\n")
    if first is not None:
        pytest.skip(f"no map can be written here: {first}")
    assert second is not None
    assert "Operation not permitted" in second
