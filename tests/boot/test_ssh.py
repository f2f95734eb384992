"""Logging in with a key: against a real sshd where there is one, and where nobody listens."""

import getpass
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench import PATH, run

from ci_toolkit.boot import ssh
from ci_toolkit.boot.guest import Script
from ci_toolkit.errors import HostError

pytestmark = pytest.mark.slow

SCRIPT = Script(name="check", content=b'echo "$0 ran"; echo err >&2; exit 7\n', interpreter=("/bin/sh", "-e"))


def test_a_key_that_is_made_is_the_pair_of_the_public_one(tmp_path: Path) -> None:
    who = ssh.login("root", None, tmp_path)
    (tmp_path / "public").write_text(who.public, encoding="ascii")
    prints = [run("ssh-keygen", "-l", "-f", path).split()[1] for path in (who.key, tmp_path / "public")]
    assert prints[0] == prints[1]
    assert who.key.stat().st_mode & 0o077 == 0


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none").write_text("x", encoding="ascii")
    with pytest.raises(HostError, match="ssh-keygen failed"):
        ssh.login("root", tmp_path / "none", tmp_path)


def test_where_nobody_answers_the_check_says_so(tmp_path: Path) -> None:
    who = ssh.login("root", None, tmp_path)
    check = ssh.run(SCRIPT, who, tmp_path, deadline=time.monotonic() + 4)
    assert (check.exit_code, check.reason, check.passed) == (None, "SSH gave no connection", False)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ssh.Login]:
    """A login at a real server of the user who runs the tests."""
    program = shutil.which("sshd", path=PATH)
    if program is None:
        pytest.skip("sshd is not installed")
    who = ssh.login(getpass.getuser(), None, tmp_path)
    keys = tmp_path / "authorized"
    keys.write_text(who.public + "\n", encoding="ascii")
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "host")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    options = (f"AuthorizedKeysFile={keys}", "StrictModes=no", "UsePAM=no", "PidFile=none", "ListenAddress=127.0.0.1")
    argv = [program, "-D", "-e", "-f", "/dev/null", "-p", str(who.address[1]), "-h", str(tmp_path / "host")]
    with subprocess.Popen([*argv, *(f"-o{option}" for option in options)], stderr=subprocess.DEVNULL) as child:
        try:
            yield who
        finally:
            child.terminate()


def test_a_script_runs_with_its_interpreter_and_its_exit_code_comes_back(server: ssh.Login, tmp_path: Path) -> None:
    told: list[str] = []
    deadline = time.monotonic() + 60
    checks = ssh.run_all((SCRIPT, SCRIPT), server, tmp_path, deadline=deadline, tell=lambda one: told.append(one.name))
    assert told == ["check", "check"]
    assert [check.exit_code for check in checks] == [7, 7]
    assert checks[0].output.endswith(" ran\nerr\n")


def test_a_script_that_does_not_end_is_ended(server: ssh.Login, tmp_path: Path) -> None:
    endless = Script(name="endless", content=b"sleep 600\n", interpreter=("/bin/sh",))
    check = ssh.run(endless, server, tmp_path, deadline=time.monotonic() + 5)
    assert (check.exit_code, check.reason) == (None, "it was still running at the time limit")
