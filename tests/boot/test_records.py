"""What guest.sh writes, run by a real shell, is what the reader understands."""

import subprocess
from pathlib import Path

import pytest

from ci_toolkit.boot import records
from ci_toolkit.boot.records import Reader, Record

SCRIPT = Path(records.__file__).with_name("guest.sh")


@pytest.fixture
def told(tmp_path: Path) -> list[Record]:
    """The records of the script beside a systemd of ours, which is still starting when it is first asked."""
    tools, credentials, run = (tmp_path / name for name in ("tools", "credentials", "run"))
    for directory in (tools, credentials, run):
        directory.mkdir()
    for name, text in (
        ("systemctl", f'[ "$1" = list-units ] && echo "bad.service loaded failed" && exit\n'
         f'[ -e {run}/asked ] && echo degraded || echo starting; : > {run}/asked'),
        ("systemd-analyze", "echo Startup finished in 1s"),
        ("journalctl", "seq 100000"),
    ):  # fmt: skip
        (tools / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (tools / name).chmod(0o755)
    for number, text in enumerate(("echo out; echo err >&2; exit 7", "import sys; print(sys.argv[0])", "cat")):
        (credentials / f"ci-toolkit.check.{number}").write_text(text, encoding="utf-8")
    port = tmp_path / "port"
    argv = ("sh", SCRIPT, port, credentials, "/bin/sh", "/usr/bin/env python3", "/bin/sh")
    environ = {"PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin", "RUNTIME_DIRECTORY": str(run)}
    subprocess.run(argv, env=environ, check=True, timeout=60)
    content, reader = port.read_bytes(), Reader()
    # As a line hands it over, in pieces.
    return [record for at in range(0, len(content), 1000) for record in reader.feed(content[at : at + 1000])]


def test_the_script_tells_how_the_guest_started_and_how_each_check_ended(told: list[Record]) -> None:
    texts = {(record.kind, record.name): record.text for record in told}
    assert told[0].kind == "hello"
    assert told[-1].kind == "end"
    assert texts["state", "-"] == "degraded\n"
    assert texts["time", "-"] == "Startup finished in 1s\n"
    assert texts["failed", "-"] == "bad.service loaded failed\n"
    assert texts["net", "tcp"].splitlines()[0].split()[:2] == ["sl", "local_address"]
    assert (texts["output", "0"], texts["ended", "0"]) == ("out\nerr\n", "7\n")
    assert texts["output", "1"].endswith("ci-toolkit.check.1\n")
    assert (texts["output", "2"], texts["ended", "2"]) == ("", "0\n")


def test_what_is_long_is_cut_to_its_end(told: list[Record]) -> None:
    (journal,) = (record.text for record in told if record.kind == "journal")
    assert len(journal) == 256 << 10
    assert journal.endswith("\n100000\n")


def test_what_is_no_record_is_passed_over() -> None:
    reader = Reader()
    noise = b"\x1b[2J\nci-toolkit\nci-toolkit a b !!!\nci-toolkit A - eA==\nci-toolkit a - e\n"
    found = reader.feed(noise + b"\x1b[0mci-toolkit state - eA==\r\nci-toolkit state - \xff\n")
    assert found == [Record(kind="state", name="-", text="x")]


def test_a_line_without_end_is_not_kept_and_the_next_one_is_read() -> None:
    reader = Reader()
    for _ in range(100):
        assert reader.feed(b"A" * (64 << 10)) == []
    assert reader.feed(b"\nci-toolkit end - \n") == [Record(kind="end", name="-", text="")]


def test_a_guest_that_goes_on_for_ever_is_not_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(_left=1000)
    assert [len(reader.feed(b"ci-toolkit end - \n" * 20)) for _ in range(5)] == [20, 20, 15, 0, 0]
