import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ci_toolkit import process
from ci_toolkit.process import MINIMAL, Command, Completed
from ci_toolkit.runners.launch import NOT_STARTED, Surroundings
from ci_toolkit.runners.runner import INSIDE

PLAIN = Surroundings(first_id=0, hostname="image-builder", cpus=None, umask=0o022)
ROOT = Path(__file__).parent.parent.parent


def arguments(surroundings: Surroundings, *argv: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-m", "ci_toolkit.runners.launch", surroundings.argument(), "--", *argv)


def launch(surroundings: Surroundings, *argv: str) -> Completed:
    return process.run(Command(argv=arguments(surroundings, *argv)), timeout_seconds=60)


def shell(surroundings: Surroundings, script: str) -> list[str]:
    """The lines that SCRIPT prints inside."""
    completed = launch(surroundings, "sh", "-ec", script)
    assert (completed.exit_code, completed.stderr) == (0, "")
    return completed.stdout.splitlines()


@pytest.fixture(scope="session")
def namespace() -> None:
    tried = launch(PLAIN, "true")
    if tried.exit_code == NOT_STARTED:
        pytest.skip(f"no user namespace with every id here: {tried.stderr.strip()}")


@pytest.fixture
def as_root(namespace: None) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may choose the ids outside")


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("first_id", [0, 100_000])
def test_the_program_is_root_with_65536_ids_which_begin_where_they_shall(first_id: int, tmp_path: Path) -> None:
    there = tmp_path / "files"
    there.mkdir()
    os.chown(there, first_id, first_id)
    surroundings = replace(PLAIN, first_id=first_id, binds=((str(there), str(INSIDE)),), directory=str(INSIDE))
    script = """
        id -u; id -g; id -G; cat /proc/self/uid_map /proc/self/gid_map
        touch root shadow last; chown 0:42 shadow; chown 65535:65535 last
    """
    *ids, users, groups = shell(surroundings, script)
    owners = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in there.iterdir()}
    assert ids == ["0", "0", "0"]
    assert users.split() == groups.split() == ["0", str(first_id), "65536"]
    assert owners == {
        "root": (first_id, first_id),
        "shadow": (first_id, first_id + 42),
        "last": (first_id + 65_535, first_id + 65_535),
    }


def test_with_one_id_the_program_is_root_and_can_give_nothing_away(tmp_path: Path) -> None:
    surroundings = replace(PLAIN, first_id=None, binds=((str(tmp_path), str(INSIDE)),), directory=str(INSIDE))
    if launch(surroundings, "true").exit_code == NOT_STARTED:
        pytest.skip("no user namespace here")
    (line,) = shell(surroundings, "touch mine; id -u; cat /proc/self/uid_map; chown 0:42 mine 2>&1 || true")[2:]
    assert line.endswith("Invalid argument")
    assert shell(surroundings, "id -u; cat /proc/self/uid_map")[1].split() == ["0", str(os.geteuid()), "1"]
    assert (tmp_path / "mine").stat().st_uid == os.geteuid()


@pytest.mark.usefixtures("namespace")
def test_the_host_name_is_another_one_inside_only() -> None:
    before = os.uname().nodename
    assert shell(replace(PLAIN, hostname="elsewhere"), "uname -n") == ["elsewhere"]
    assert os.uname().nodename == before != "elsewhere"


@pytest.mark.usefixtures("namespace")
def test_the_program_may_use_as_many_processors_as_it_is_given() -> None:
    assert shell(replace(PLAIN, cpus=1), "nproc") == ["1"]
    assert shell(PLAIN, "nproc") == [str(len(os.sched_getaffinity(0)))]


@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_the_umask_is_the_one_given_whatever_the_callers_is(mask: int) -> None:
    before = os.umask(0o027)
    try:
        assert shell(replace(PLAIN, umask=mask), "umask") == [f"{mask:04o}"]
    finally:
        os.umask(before)


@pytest.mark.usefixtures("namespace")
def test_binds_appear_inside_in_their_order_and_not_outside(tmp_path: Path) -> None:
    for name in ("scratch", "packages"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"in-{name}").touch()
    inside = tmp_path / "inside"
    binds = ((f"{tmp_path}/scratch", f"{inside}"), (f"{tmp_path}/packages", f"{inside}/packages"))
    found = shell(replace(PLAIN, binds=binds, directory=str(inside)), "pwd; find . | sort; touch written")
    assert found == [str(inside), ".", "./in-scratch", "./packages", "./packages/in-packages"]
    assert not inside.exists()
    assert (tmp_path / "scratch/written").exists()


@pytest.mark.usefixtures("as_root")
def test_a_source_below_a_directory_of_the_caller_alone_can_be_bound(tmp_path: Path) -> None:
    source = tmp_path / "private/source"
    source.mkdir(parents=True)
    os.chown(source, 100_000, 100_000)
    (tmp_path / "private").chmod(0o700)
    surroundings = replace(PLAIN, first_id=100_000, binds=((str(source), str(INSIDE)),))
    shell(surroundings, f"touch {INSIDE}/file")
    assert (source / "file").exists()


@pytest.mark.usefixtures("namespace")
def test_the_environment_and_the_open_files_are_those_that_it_is_given() -> None:
    assert sorted(launch(PLAIN, "env").stdout.splitlines()) == sorted(f"{k}={v}" for k, v in MINIMAL.items())
    assert shell(PLAIN, "for n in 3 4 5 6 7 8 9; do test ! -e /proc/$$/fd/$n || echo $n; done") == []


@pytest.mark.usefixtures("namespace")
def test_no_signal_is_ignored_whatever_python_and_the_caller_ignore() -> None:
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        told = launch(PLAIN, "grep", "SigIgn", "/proc/self/status").stdout.split()[1]
    finally:
        signal.signal(signal.SIGUSR1, before)
    # 32 and 33 are the C library's own, which no program can set.
    ignored = {number for number in range(1, 65) if int(told, 16) >> (number - 1) & 1}
    assert ignored - {32, 33} == set()


@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize(
    ("script", "exit_code"), [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
)
def test_the_exit_code_is_the_programs_own(script: str, exit_code: int) -> None:
    assert launch(PLAIN, "sh", "-c", script).exit_code == exit_code


@pytest.mark.usefixtures("namespace")
def test_a_missing_program_is_127_and_one_that_cannot_be_started_126() -> None:
    missing = launch(PLAIN, "no-such-program-here")
    refused = launch(PLAIN, "/etc")
    assert (missing.exit_code, missing.stderr) == (127, "ci-toolkit: no-such-program-here: not found\n")
    assert (refused.exit_code, refused.stderr) == (126, "ci-toolkit: /etc: Permission denied\n")


@pytest.mark.usefixtures("namespace")
def test_surroundings_that_cannot_be_had_are_told_apart_from_a_missing_program(tmp_path: Path) -> None:
    nowhere = launch(replace(PLAIN, directory=f"{tmp_path}/gone"), "true")
    unbound = launch(replace(PLAIN, binds=((f"{tmp_path}/gone", f"{tmp_path}/inside"),)), "true")
    assert (nowhere.exit_code, unbound.exit_code) == (NOT_STARTED, NOT_STARTED)
    assert nowhere.stderr == f"ci-toolkit: {tmp_path}/gone: No such file or directory\n"
    assert unbound.stderr == f"ci-toolkit: bind mount on {tmp_path}/inside: No such file or directory\n"


@pytest.mark.usefixtures("as_root")
def test_ids_that_cannot_be_mapped_are_a_refusal_with_its_reason() -> None:
    refused = launch(replace(PLAIN, first_id=2**32 - 10), "true")
    assert refused.exit_code == NOT_STARTED
    assert "the id maps were refused: writing '0 4294967286 65536' to uid_map" in refused.stderr


@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_launch_ends_the_build_and_what_it_started(tmp_path: Path, number: signal.Signals) -> None:
    script = "trap 'exit 7' TERM INT HUP; sleep 300 & echo $!; wait"
    launched = subprocess.Popen(
        arguments(PLAIN, "sh", "-c", script), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert launched.stdout is not None
    sleeper = int(launched.stdout.readline())
    launched.send_signal(number)
    with launched.stdout:
        assert launched.wait(30) == 7
    assert has_ended(sleeper)


@pytest.mark.usefixtures("namespace")
def test_a_build_without_a_handler_dies_of_the_signal() -> None:
    launched = subprocess.Popen(arguments(PLAIN, "sh", "-c", "echo up; exec sleep 300"), stdout=subprocess.PIPE)
    assert launched.stdout is not None
    with launched.stdout:
        launched.stdout.readline()
        launched.send_signal(signal.SIGTERM)
        assert launched.wait(30) == 128 + signal.SIGTERM


def has_ended(pid: int) -> bool:
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


def granted_user() -> str:
    """A plain user to whom /etc/subuid grants ids; skips where there is none."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    for tool in ("newuidmap", "newgidmap", "setpriv"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    grants = Path("/etc/subuid").read_text().splitlines() if Path("/etc/subuid").exists() else []
    for line in grants:
        user, _, count = line.split(":")
        if user != "root" and int(count) >= 65_536:
            return user
    pytest.skip("/etc/subuid grants no plain user 65,536 ids")


def test_a_plain_user_gets_every_id_through_newuidmap(tmp_path_factory: pytest.TempPathFactory) -> None:
    user = granted_user()
    become = () if os.geteuid() != 0 else ("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups")
    # The checkout may be out of that user's reach: what is needed of it is put where he can read it.
    place = tmp_path_factory.mktemp("plain")
    shutil.copytree(ROOT / "ci_toolkit", place / "ci_toolkit", ignore=shutil.ignore_patterns("__pycache__"))
    for directory in (place, *place.parents):
        if directory == Path(tempfile.gettempdir()):
            break
        directory.chmod(0o755)
    script = f"id -u; cat /proc/self/uid_map; touch {INSIDE}/f; chown 42:42 {INSIDE}/f"
    scratch = place / "scratch"
    scratch.mkdir()
    shutil.chown(scratch, user)
    surroundings = replace(PLAIN, binds=((str(scratch), str(INSIDE)),))
    python = shutil.which("python3", path="/usr/bin:/bin")
    if python is None:
        pytest.skip("no python3 that every user may run")
    run = (python, "-P", "-m", "ci_toolkit.runners.launch", surroundings.argument(), "--", "sh", "-ec", script)
    environment = {**MINIMAL, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    completed = process.run(Command(argv=(*become, *run), environment=environment, directory=place))
    assert (completed.stderr, completed.exit_code) == ("", 0)
    first, *extents = completed.stdout.splitlines()
    own = pwd.getpwnam(user).pw_uid
    assert first == "0"
    assert extents[0].split() == ["0", str(own), "1"]
    assert sum(int(extent.split()[2]) for extent in extents) == 65_536
    assert (scratch / "f").stat().st_uid not in (0, 42, own)


@pytest.mark.usefixtures("namespace")
def test_of_the_machine_the_system_alone_is_there(tmp_path: Path) -> None:
    """Nothing of the caller's; its own words for it come from find, run outside as well."""
    (tmp_path / "secret").touch()
    look = f"find /home /root /mnt /media /srv /run /var/lib {tmp_path} -mindepth 1 2>&1 | grep -v 'No such file' || :"
    outside = subprocess.run(("sh", "-c", look), capture_output=True, text=True, check=True).stdout.splitlines()
    assert str(tmp_path / "secret") in outside
    resolver = os.path.realpath("/etc/resolv.conf")
    inside = shell(PLAIN, look)
    assert [path for path in inside if not resolver.startswith(path)] == []
    for place in (Path("/", name) for name in ("bin", "etc", "lib", "opt", "usr")):
        if place.exists():
            assert set(shell(PLAIN, f"ls -A {place}/")) == {path.name for path in place.iterdir()}


@pytest.mark.usefixtures("namespace")
def test_the_old_root_cannot_be_had_back_by_unmounting(tmp_path: Path) -> None:
    (tmp_path / "secret").touch()
    script = f"""
        for n in 1 2 3; do umount --lazy /tmp /home / 2>/dev/null || :; done
        test ! -e {tmp_path}/secret; test ! -e /proc/1/root{tmp_path}/secret; echo gone
    """
    assert shell(PLAIN, script) == ["gone"]


@pytest.mark.usefixtures("namespace")
def test_names_are_resolved_as_on_the_machine() -> None:
    if not Path("/etc/resolv.conf").is_file():
        pytest.skip("this machine has no /etc/resolv.conf")
    assert shell(PLAIN, "cat /etc/resolv.conf") == Path("/etc/resolv.conf").read_text().splitlines()


@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize("reluctant", ["", "trap '' TERM INT HUP;"])
def test_what_the_program_leaves_in_a_session_of_its_own_ends_with_it(reluctant: str) -> None:
    script = f'setsid sh -c "{reluctant} while :; do sleep 300; done" </dev/null >/dev/null 2>&1 & echo $!'
    (pid,) = shell(PLAIN, script)
    assert has_ended(int(pid))


@pytest.mark.usefixtures("namespace")
def test_a_build_ends_with_whoever_called_however_that_ended() -> None:
    caller = """
import subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True, start_new_session=True)
print(child.stdout.readline(), flush=True)
child.wait()
"""
    argv = arguments(PLAIN, "sh", "-c", "setsid sleep 300 & echo $$; wait")
    with subprocess.Popen((sys.executable, "-c", caller, *argv), stdout=subprocess.PIPE, text=True) as called:
        assert called.stdout is not None
        pid = int(called.stdout.readline())
        called.kill()
    assert has_ended(pid)
