import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from ci_toolkit.host import abilities, child, trials


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """What this kernel answers."""
    completed = child.run("ci_toolkit.host.trials", str(tmp_path_factory.mktemp("workspace")), seconds=40)
    assert completed.ok, completed.stderr
    return abilities.parse(completed.stdout)


def succeeds(*argv: str) -> bool:
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed")
    return subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0


def as_root_inside(script: str) -> bool:
    return succeeds("unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", script)


def test_one_id_can_be_had_exactly_where_unshare_gets_it(found: dict[str, str | None]) -> None:
    assert (found["user-namespace-single"] is None) == succeeds("unshare", "--user", "--map-root-user", "true")


def test_all_ids_can_be_had_exactly_where_a_shell_can_write_the_map(found: dict[str, str | None]) -> None:
    if os.geteuid() != 0:
        expected = succeeds("unshare", "--user", "--map-auto", "--map-root-user", "true")
    else:
        expected = succeeds(
            "sh",
            "-ec",
            "unshare --user sleep 60 & trap 'kill $!' EXIT; outer=$(readlink /proc/self/ns/user)\n"
            'until [ "$(readlink /proc/$!/ns/user)" != $outer ]; do kill -0 $!; done\n'
            "for map in uid_map gid_map; do echo '0 0 65536' > /proc/$!/$map; done",
        )
    assert (found["user-namespace-full"] is None) == expected


@pytest.mark.parametrize(
    ("trial", "script"),
    [
        ("mount-tmpfs", "mount -t tmpfs tmpfs /tmp"),
        (
            "mount-proc",
            "mount -t tmpfs tmpfs /tmp; mkdir /tmp/p; mount --rbind /proc /tmp/p; test -e /tmp/p/self/status",
        ),
        ("mount-devpts", "mount -t tmpfs tmpfs /tmp; mkdir /tmp/p; mount -t devpts -o newinstance devpts /tmp/p"),
        (
            "mount-overlay",
            "mount -t tmpfs tmpfs /tmp; cd /tmp; mkdir l u w m\n"
            "mount -t overlay -o lowerdir=l,upperdir=u,workdir=w,userxattr overlay m",
        ),
        ("pivot-root", "mount -t tmpfs tmpfs /tmp; mkdir /tmp/old; cd /tmp; pivot_root . old"),
    ],
)
def test_a_mount_works_exactly_where_mount_makes_it(found: dict[str, str | None], trial: str, script: str) -> None:
    if trial not in found:
        pytest.skip("no user namespace can be had here")
    assert (found[trial] is None) == as_root_inside(script), found[trial]


def test_a_fresh_procfs_works_exactly_where_unshare_mounts_it(found: dict[str, str | None]) -> None:
    if "fresh-proc" not in found:
        pytest.skip("no user namespace can be had here")
    expected = succeeds("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "true")
    assert (found["fresh-proc"] is None) == expected


def test_no_call_is_refused_where_there_is_no_filter(found: dict[str, str | None]) -> None:
    mode = next(
        line.split()[1]
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        if line.startswith("Seccomp:")
    )
    if mode != "0":
        pytest.skip("this process runs under a seccomp filter")
    calls = {name: answer for name, answer in found.items() if name.startswith("call:")}
    assert len(calls) == len(trials.FILTERED_CALLS)
    assert set(calls.values()) == {None}


def mounts_on(point: str) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.split()[4] == point]


def running(marker: str) -> list[str]:
    """Return the command lines that hold MARKER, of processes that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
    return [line for line in found if marker in line]


def test_trials_leave_no_mount_no_file_and_no_process_behind(tmp_path: Path) -> None:
    before = {point: mounts_on(point) for point in ("/tmp", "/proc", "/")}
    completed = child.run("ci_toolkit.host.trials", str(tmp_path), seconds=40)
    assert completed.ok
    assert {point: mounts_on(point) for point in before} == before
    assert list(tmp_path.iterdir()) == []
    assert running(str(tmp_path)) == []


def test_an_attempt_that_works_has_no_reason() -> None:
    assert trials.attempt(lambda: None) is None


def test_an_attempt_that_fails_says_why() -> None:
    assert trials.attempt(lambda: Path("/nonexistent").stat()) == "No such file or directory"


def test_an_attempt_that_is_killed_says_by_what() -> None:
    assert trials.attempt(lambda: os.kill(os.getpid(), signal.SIGKILL)) == "the caller was ended by SIGKILL"
    assert trials.attempt(lambda: os.kill(os.getpid(), signal.SIGSYS)) == "a seccomp filter kills the caller"


def test_an_attempt_that_hangs_is_ended() -> None:
    assert trials.attempt(lambda: time.sleep(60), seconds=1) == "no answer within 1 s"
