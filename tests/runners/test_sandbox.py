import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ci_toolkit.console import Console
from ci_toolkit.errors import HostError
from ci_toolkit.host.environment import NORMAL, VARIED
from ci_toolkit.process import MINIMAL, Command, Completed
from ci_toolkit.runners import unprivileged
from ci_toolkit.runners.launch import NOT_STARTED
from ci_toolkit.runners.runner import INSIDE, Request
from ci_toolkit.runners.sandbox import NamespaceSandbox


@dataclass(kw_only=True)
class Recorder:
    """Takes the place of a container or of this machine."""

    exit_code: int = 0
    commands: list[Command] = field(default_factory=list)

    def __call__(
        self, command: Command, on_line: Callable[[str], None] | None, timeout_seconds: float | None
    ) -> Completed:
        self.commands.append(command)
        return Completed(command=command, exit_code=self.exit_code, stdout="out", stderr="err")


def sandbox(tmp_path: Path, recorder: Recorder, *, bind: bool = True, may_chown: bool = True) -> NamespaceSandbox:
    for name in ("scratch", "packages"):
        (tmp_path / name).mkdir(exist_ok=True)
    return NamespaceSandbox(
        environment=NORMAL,
        execute=recorder,
        python="/usr/bin/python3",
        scratch=tmp_path / "scratch",
        packages=tmp_path / "packages",
        bind=bind,
        may_chown=may_chown,
        caller=(os.getuid(), os.getgid()),
    )


def request(tmp_path: Path) -> Request:
    for name in ("scratch", "packages"):
        (tmp_path / name).mkdir()
    return Request(
        scratch=tmp_path / "scratch",
        packages=tmp_path / "packages",
        console=Console(narration=io.StringIO()),
        environ={},
        rescue=lambda log: log,
    )


def test_a_command_is_handed_to_launch_with_its_surroundings(tmp_path: Path) -> None:
    recorder = Recorder()
    place = replace(sandbox(tmp_path, recorder), environment=VARIED)
    command = Command(argv=("mkosi", "build"), environment={"A": "b"}, secrets=frozenset(("hunter2",)))
    completed = place.run(command)
    (given,) = recorder.commands
    assert given.argv[:4] == ("/usr/bin/python3", "-I", "-m", "ci_toolkit.runners.launch")
    assert given.argv[5:] == ("--", "mkosi", "build")
    assert json.loads(given.argv[4]) == {
        "first_id": 100_000,
        "hostname": "elsewhere",
        "cpus": 1,
        "umask": 0o022,
        "binds": [[f"{tmp_path}/scratch", str(INSIDE)], [f"{tmp_path}/packages", f"{INSIDE}/packages"]],
        "directory": str(INSIDE),
    }
    assert (given.environment, given.secrets) == ({"A": "b"}, frozenset(("hunter2",)))
    assert (completed.command, completed.stdout, completed.stderr) == (command, "out", "err")


def test_in_a_container_what_appears_in_the_build_comes_with_its_mounts(tmp_path: Path) -> None:
    recorder = Recorder()
    sandbox(tmp_path, recorder, bind=False).run(Command(argv=("true",), directory=Path("/somewhere")))
    surroundings = json.loads(recorder.commands[0].argv[4])
    assert surroundings["binds"] == [[str(INSIDE), str(INSIDE)]]
    assert surroundings["directory"] == "/somewhere"


@pytest.mark.parametrize("bind", [True, False])
def test_what_is_copied_in_is_given_to_the_builds_root(tmp_path: Path, bind: bool) -> None:
    recorder = Recorder()
    place = replace(sandbox(tmp_path, recorder, bind=bind), environment=VARIED)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/link").symlink_to("nowhere")
    place.copy_in(tmp_path / "tree", INSIDE / "deep/tree")
    tree = f"{tmp_path}/scratch/deep/tree" if bind else f"{INSIDE}/deep/tree"
    assert (tmp_path / "scratch/deep/tree/link").readlink() == Path("nowhere")
    assert [one.argv for one in recorder.commands] == [
        ("chown", "--recursive", "--no-dereference", "100000:100000", "--", tree)
    ]


@pytest.mark.parametrize("bind", [True, False])
def test_the_package_cache_is_found_where_it_lies(tmp_path: Path, bind: bool) -> None:
    recorder = Recorder()
    place = replace(sandbox(tmp_path, recorder, bind=bind), environment=VARIED)
    place.share(INSIDE / "packages", INSIDE / "another/packages")
    found = (
        (f"{tmp_path}/packages", f"{tmp_path}/scratch/another/packages")
        if bind
        else (f"{INSIDE}/packages", f"{INSIDE}/another/packages")
    )
    copy, chown = (one.argv for one in recorder.commands)
    assert copy == ("cp", "--archive", "--update", "--no-target-directory", "--", *found)
    assert chown == ("chown", "--recursive", "--no-dereference", "100000:100000", "--", found[1])


def test_a_plain_users_directories_are_made_from_inside(tmp_path: Path) -> None:
    recorder = Recorder()
    sandbox(tmp_path, recorder, may_chown=False).make(INSIDE / "one")
    (made,) = recorder.commands
    assert made.argv[5:] == ("--", "mkdir", "--parents", "--", f"{INSIDE}/one")


def test_directories_above_what_is_copied_in_may_be_searched_by_everybody(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    before = os.umask(0o077)
    try:
        sandbox(tmp_path, Recorder()).copy_in(tmp_path / "file", INSIDE / "deep/er/file")
    finally:
        os.umask(before)
    assert [(tmp_path / "scratch" / name).stat().st_mode & 0o777 for name in ("deep", "deep/er")] == [0o755, 0o755]


def test_a_single_file_can_be_copied_in(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    sandbox(tmp_path, Recorder()).copy_in(tmp_path / "file", INSIDE / "deep/file")
    assert (tmp_path / "scratch/deep/file").read_text() == "text"


def test_what_is_copied_out_is_given_to_the_caller_first(tmp_path: Path) -> None:
    recorder = Recorder()
    place = sandbox(tmp_path, recorder)
    (tmp_path / "scratch/output").mkdir()
    place.copy_out(INSIDE / "output", tmp_path / "output")
    assert (tmp_path / "output").is_dir() and not (tmp_path / "scratch/output").exists()
    assert recorder.commands[0].argv[3] == f"{os.getuid()}:{os.getgid()}"


def test_nothing_is_given_away_where_files_are_the_callers_anyhow(tmp_path: Path) -> None:
    recorder = Recorder()
    (tmp_path / "file").touch()
    sandbox(tmp_path, recorder, may_chown=False).copy_in(tmp_path / "file", INSIDE / "file")
    assert recorder.commands == []


def test_a_chown_that_is_refused_is_an_error_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HostError, match=r"chown .* failed: err"):
        sandbox(tmp_path, Recorder(exit_code=1)).copy_in(tmp_path / "file", INSIDE / "file")


@pytest.mark.parametrize("path", [Path("/etc/passwd"), INSIDE / "../../../etc/passwd"])
def test_nothing_outside_the_builds_own_directory_is_written(tmp_path: Path, path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="subpath"):
        sandbox(tmp_path, Recorder()).copy_in(tmp_path / "file", path)


def test_on_this_machine_a_tree_goes_in_and_what_is_made_of_it_comes_out(tmp_path: Path) -> None:
    asked = request(tmp_path)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_text("text\n")
    lines: list[str] = []
    with unprivileged.start(asked) as place:
        environment = NORMAL if place.cannot_vary else VARIED
        inside = place.sandbox(environment)
        inside.copy_in(tmp_path / "tree", INSIDE / "tree")
        inside.make(INSIDE / "out")
        script = f"cat {INSIDE}/tree/file; id -u; echo x > {INSIDE}/out/f; chown -R 42:42 {INSIDE}/out"
        completed = inside.run(Command(argv=("sh", "-ec", script)), on_line=lines.append)
        if completed.exit_code == NOT_STARTED:
            pytest.skip(f"no user namespace with every id here: {completed.stderr.strip()}")
        inside.copy_out(INSIDE / "out", tmp_path / "out")
    assert (lines, completed.exit_code) == (["text\n", "0\n"], 0)
    assert (tmp_path / "out/f").read_text() == "x\n"
    if place.may_chown:
        assert (tmp_path / "out/f").stat().st_uid == 0


def test_this_machines_sandbox_is_started_by_this_python_and_told_in_the_report(tmp_path: Path) -> None:
    with unprivileged.start(request(tmp_path)) as place:
        inside = place.sandbox(NORMAL)
    assert (inside.python, inside.bind) == (sys.executable, True)
    assert "user namespace with 65,536 ids" in place.description
    assert inside.may_chown is (os.geteuid() == 0)


def test_a_plain_users_scratch_is_emptied_from_inside_and_his_ids_cannot_vary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    ran: list[Command] = []

    def run(command: Command, **_: object) -> Completed:
        ran.append(command)
        return Completed(command=command, exit_code=0, stdout="", stderr="")

    monkeypatch.setattr("ci_toolkit.process.run", run)
    with unprivileged.start(request(tmp_path)) as place:
        assert set(place.cannot_vary) == {"uid"}
        assert ran == []
    assert "! -name packages" in ran[0].argv[-1]
    assert ran[0].environment == MINIMAL


def test_what_runs_at_the_terminal_is_launched_as_anything_else(tmp_path: Path) -> None:
    recorder, attached = Recorder(), list[Command]()

    def attach(given: Command) -> int:
        attached.append(given)
        return 7

    place = replace(sandbox(tmp_path, recorder), attach_by=attach)
    command = Command(argv=("bash",), environment={"A": "b"}, directory=Path("/srv"))
    assert place.attach(command) == 7
    place.run(command)
    assert attached == recorder.commands


def test_where_there_is_no_way_to_a_terminal_the_next_step_is_told(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="no terminal") as refused:
        sandbox(tmp_path, Recorder()).attach(Command(argv=("bash",)))
    assert refused.value.hint is not None
    assert "--runner" in refused.value.hint
