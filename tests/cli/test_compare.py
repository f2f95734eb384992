"""`ci-toolkit compare`: what it says, where it writes, how it ends."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from bench import run

from ci_toolkit.cli import main
from ci_toolkit.errors import ExitCode

PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background would have ignored
from ci_toolkit.cli.main import run
sys.exit(run(["compare", *sys.argv[1:]]))
"""


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    """Two files that differ in their last byte."""
    for name, end in (("a", "1"), ("b", "2")):
        (tmp_path / name).write_text("x" * 1000 + end, encoding="utf-8")
    return str(tmp_path / "a"), str(tmp_path / "b")


def disk(path: Path) -> Path:
    """A disk with one partition, by sfdisk."""
    with path.open("wb") as file:
        file.truncate(4 << 20)
    run("sfdisk", "--quiet", path, stdin=b"label: gpt\nstart=2048, size=2048\n")
    return path


def compare(*arguments: str | Path) -> int:
    return main.run(["compare", *map(str, arguments)])


def one_error(capfd: pytest.CaptureFixture[str]) -> str:
    """Return the one error and its hint; nothing else may have been written."""
    captured = capfd.readouterr()
    assert captured.out == ""
    first, *rest = captured.err.splitlines()
    assert first.startswith("error: ")
    assert len(rest) == 1
    assert rest[0].startswith("  ")
    return first


def test_a_file_and_itself_are_identical(pair: tuple[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    digest = run("sha256sum", pair[0]).decode().split()[0]
    assert compare(pair[0], pair[0]) == ExitCode.FINE
    shown = capfd.readouterr().out
    assert f"{Path(pair[0]).stat().st_size:,} bytes" in shown
    assert digest not in shown
    assert compare(pair[0], pair[0], "--digests") == ExitCode.FINE
    assert digest in capfd.readouterr().out


@pytest.mark.parametrize(("policy", "code"), [((), 1), (("--fail-on", "any"), 1), (("--fail-on", "never"), 0)])
def test_two_files_that_differ_end_as_the_policy_says(
    pair: tuple[str, str], policy: tuple[str, ...], code: int
) -> None:
    assert compare(*pair, *policy) == code


def test_the_policy_may_stand_in_the_environment_and_the_option_is_stronger(
    pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_TOOLKIT_FAIL_ON", "never")
    assert compare(*pair) == ExitCode.FINE
    assert compare(*pair, "--fail-on", "any") == ExitCode.POLICY


def test_a_disk_that_is_cut_is_unreadable_and_said_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole, cut = disk(tmp_path / "whole.raw"), tmp_path / "cut.raw"
    cut.write_bytes(whole.read_bytes()[: 1 << 20])
    assert compare(whole, cut) == ExitCode.UNREADABLE
    assert "cut.raw" in one_error(capfd)


def test_a_text_and_a_disk_differ_in_kind(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "readme.txt"
    text.write_text("Hello\n", encoding="utf-8")
    assert compare(text, disk(tmp_path / "disk.raw")) == ExitCode.POLICY
    assert "text → gpt" in capfd.readouterr().out


def test_a_file_that_is_not_there_is_unreadable(pair: tuple[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    assert compare(pair[0], "/nonexistent/image") == ExitCode.UNREADABLE
    assert "/nonexistent/image: No such file" in one_error(capfd)


def test_a_file_that_may_not_be_read_is_unreadable(
    pair: tuple[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    closed = tmp_path / "closed"
    closed.touch(mode=0)
    assert compare(pair[0], closed) == ExitCode.UNREADABLE
    assert "closed: Permission denied" in one_error(capfd)


def test_a_pipe_is_not_waited_for(pair: tuple[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert compare(pair[0], tmp_path / "pipe") == ExitCode.UNREADABLE
    assert "neither a file nor a directory" in one_error(capfd)


def test_what_json_tells_of_large_contents_costs_the_terminal_nothing(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """And changes nothing of what is shown there."""
    trees = [tmp_path / "a", tmp_path / "b"]
    for tree in trees:
        tree.mkdir()
        (tree / "large").write_bytes(bytes(3 << 20) + tree.name.encode())
    assert compare(*trees) == ExitCode.POLICY
    alone = capfd.readouterr().out
    assert compare(*trees, "--json", tmp_path / "report.json") == ExitCode.POLICY
    assert capfd.readouterr().out == alone
    found = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["differences"]
    (told,) = [one for one in found if one["field"] == "content"]
    for side, tree in (("before", trees[0]), ("after", trees[1])):
        assert told[side]["sha256"] == run("sha256sum", tree / "large").decode().split()[0]


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_json_on_stdout_is_json_and_nothing_else(
    pair: tuple[str, str], name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert compare(*pair, "--json", name) == ExitCode.POLICY
    captured = capfd.readouterr()
    document: dict[str, Any] = json.loads(captured.out)
    assert (document["schema"], document["verdict"], document["differing_bytes"]) == (1, "different", 1)
    assert captured.err == ""


def test_two_reports_on_stdout_would_be_neither(pair: tuple[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    assert compare(*pair, "--json", "-", "--html", "/dev/stdout") == ExitCode.USAGE
    assert "json and html" in one_error(capfd)


def test_each_report_goes_to_its_file_and_the_text_to_the_terminal(
    pair: tuple[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = {kind: tmp_path / f"report.{kind}" for kind in ("json", "markdown", "html")}
    compare(*pair, *(word for kind, path in files.items() for word in (f"--{kind}", str(path))))
    assert "Different" in capfd.readouterr().out
    assert json.loads(files["json"].read_text(encoding="utf-8"))["verdict"] == "different"
    assert files["markdown"].read_text(encoding="utf-8").startswith("#")
    assert files["html"].read_text(encoding="utf-8").lower().startswith("<!doctype html>")


def test_a_report_gets_the_modes_of_the_umask_and_nothing_is_left_beside_it(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "report.json").write_text("older", encoding="utf-8")
    before = os.umask(0o027)
    try:
        compare(*pair, "--json", folder / "report.json")
    finally:
        os.umask(before)
    assert [path.name for path in folder.iterdir()] == ["report.json"]
    assert (folder / "report.json").stat().st_mode & 0o777 == 0o640


def test_a_link_to_a_report_stays_a_link(pair: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to("real.json")
    compare(*pair, "--json", tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text(encoding="utf-8"))["schema"] == 1


@pytest.mark.parametrize("place", ["no/such/directory/report.json", "."])
def test_a_place_for_no_file_is_told_before_anything_is_compared(
    pair: tuple[str, str], tmp_path: Path, place: str, capfd: pytest.CaptureFixture[str]
) -> None:
    # That the images are not there would be the error if they were read first.
    assert compare("/nonexistent/a", "/nonexistent/b", "--json", tmp_path / place) == ExitCode.USAGE
    assert "directory" in one_error(capfd)


def test_a_file_that_may_not_be_written_is_a_usage_error(
    pair: tuple[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if os.geteuid() == 0:
        place = Path("/proc/report.json")  # where not even root makes a file
    else:
        (tmp_path / "closed").mkdir(mode=0o500)
        place = tmp_path / "closed" / "report.json"
    assert compare(*pair, "--json", place) == ExitCode.USAGE
    error = capfd.readouterr().err
    assert f"{place} cannot be written" in error
    assert len(error.splitlines()) == 2


def test_a_full_disk_is_exit_code_3_and_one_line(pair: tuple[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    assert compare(*pair, "--json", "/dev/full") == ExitCode.HOST
    error = capfd.readouterr().err
    assert "disk is full" in error
    assert len(error.splitlines()) == 2


def test_on_a_full_disk_the_older_report_stays_and_no_half_one(pair: tuple[str, str], tmp_path: Path) -> None:
    """A limit on the size of files stands in for it: the kernel gives another error, and the same half file."""
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "report.html").write_text("older", encoding="utf-8")
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))\n" + PROGRAM
    completed = subprocess.run(
        (sys.executable, "-c", limited, *pair, "--html", str(folder / "report.html")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == ExitCode.USAGE
    assert "Traceback" not in completed.stderr
    assert [path.name for path in folder.iterdir()] == ["report.html"]
    assert (folder / "report.html").read_text(encoding="utf-8") == "older"


def test_a_full_disk_behind_stdout_is_exit_code_3(
    pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # what stays in a buffer is tried again at the very end
    with Path("/dev/full").open("wb") as full:
        completed = subprocess.run((sys.executable, "-c", PROGRAM, *pair), stdout=full, check=False)
    assert completed.returncode == ExitCode.HOST
    assert "No space left" in one_error(capfd)


def test_streams_that_the_caller_closed_are_not_taken_for_files(pair: tuple[str, str], tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    argv = (sys.executable, "-m", "ci_toolkit", "compare", *pair, "--json", str(report))
    root = Path(__file__).parents[2]
    completed = subprocess.run(("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *argv), cwd=root, check=False)
    assert completed.returncode == ExitCode.POLICY
    assert json.loads(report.read_text(encoding="utf-8"))["verdict"] == "different"


def test_a_file_that_stdout_is_added_to_keeps_what_it_had(pair: tuple[str, str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n", encoding="utf-8")
    with log.open("ab") as file:
        subprocess.run((sys.executable, "-c", PROGRAM, *pair, "--json", "/dev/stdout"), stdout=file, check=False)
        subprocess.run((sys.executable, "-c", PROGRAM, *pair, "--json", "/dev/fd/1"), stdout=file, check=False)
    text = log.read_text(encoding="utf-8")
    assert text.startswith("before\n{")
    assert text.count('"schema": 1') == 2


def test_a_reader_who_leaves_early_does_not_change_the_exit_code(pair: tuple[str, str], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    report = tmp_path / "report.json"
    with os.fdopen(writing, "wb") as stdout:
        completed = subprocess.run(
            (sys.executable, "-c", PROGRAM, pair[0], pair[0], "--json", str(report)),
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert completed.returncode == ExitCode.FINE
    assert completed.stderr == b""
    assert json.loads(report.read_text(encoding="utf-8"))["verdict"] == "identical"


def test_an_interrupt_ends_it_at_once_with_one_line(tmp_path: Path) -> None:
    """1 TiB of holes each: their digests take the better part of an hour."""
    images = tmp_path / "a.raw", tmp_path / "b.raw"
    for image in images:
        with image.open("wb") as file:
            file.truncate(1 << 40)
    with subprocess.Popen(
        (sys.executable, "-c", PROGRAM, *images, "--digests"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            while not is_open(process.pid, images[1]):
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == ExitCode.INTERRUPTED
    assert stdout == ""
    first, *rest = stderr.strip().splitlines()
    assert first == "error: interrupted"
    assert len(rest) == 1


def is_open(pid: int, path: Path) -> bool:
    """Tell whether a process has PATH open: then it is comparing."""
    try:
        return any(link.readlink() == path for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # closed while it was looked at
        return False


def test_on_github_an_error_is_one_annotation_and_a_name_cannot_be_another(
    pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert compare(pair[0], "/nonexistent/\n::set-env name=A::b") == ExitCode.UNREADABLE
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("::error::/nonexistent/")


def test_a_hostile_name_in_an_image_is_no_workflow_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for name, content in (("a", "1"), ("b", "2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x\n::set-env name=A::b\n##[add-path]c\x1b[2J").write_text(content, encoding="utf-8")
    for options in ((), ("--json", "-"), ("--markdown", "-"), ("--html", "-")):
        compare(tmp_path / "a", tmp_path / "b", *options)
    captured = capfd.readouterr()
    lines = (captured.out + captured.err).splitlines()
    assert any("set-env" in line for line in lines)
    assert [line for line in lines if line.lstrip().startswith("::") or "##[" in line or "\x1b[2J" in line] == []


def test_a_deep_look_is_taken_where_it_is_asked_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name, value in (("a", "[1, 2]"), ("b", "[2, 1]")):
        (tmp_path / f"{name}.json").write_text(f'{{"key": {value}}}', encoding="utf-8")
    files = tmp_path / "a.json", tmp_path / "b.json"
    assert compare(*files, "--json", tmp_path / "plain") == ExitCode.POLICY
    assert compare(*files, "--deep", "--json", tmp_path / "deep") == ExitCode.POLICY
    plain, deep = (json.loads((tmp_path / name).read_text(encoding="utf-8")) for name in ("plain", "deep"))
    assert "diffoscope" not in plain["differences"][0]
    if shutil.which("diffoscope", path="/usr/local/bin:/usr/bin:/bin") is None:
        assert "diffoscope is not installed" in deep["skipped"][0]["reason"]
    else:
        assert "Pretty-printed" in deep["differences"][0]["diffoscope"]
        assert capfd.readouterr().out.count("Pretty-printed") == 1
        assert deep["skipped"] == []
    assert deep["findings"] == plain["findings"]


@pytest.mark.parametrize(("second", "readers"), [("text", set()), ("packed", {"archives.compressed"})])
def test_no_reader_is_loaded_but_those_that_are_needed(tmp_path: Path, second: str, readers: set[str]) -> None:
    (tmp_path / "first").write_text("some text\n", encoding="utf-8")
    (tmp_path / "text").write_text("other text\n", encoding="utf-8")
    (tmp_path / "packed").write_bytes(run("gzip", "-c", stdin=b"other text\n"))
    script = (
        "import sys; from ci_toolkit.cli import main; main.run(['compare', *sys.argv[1:]]); "
        "from ci_toolkit.images.read import FORMATS; "
        "print('loaded', *{known.module for known in FORMATS if f'ci_toolkit.images.{known.module}' in sys.modules})"
    )
    command = (sys.executable, "-c", script, tmp_path / "first", tmp_path / second)
    printed = subprocess.run(command, check=True, capture_output=True, timeout=60, text=True).stdout
    assert set(printed.splitlines()[-1].split()[1:]) == readers
