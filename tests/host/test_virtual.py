from pathlib import Path

import pytest

from ci_toolkit.host import virtual


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "modules").mkdir()
    for name in ("vmlinuz", "modules/12-second.ko.xz", "modules/11-first.ko", "modules/notes"):
        (tmp_path / name).touch()
    return tmp_path


def test_modules_come_in_the_order_of_their_numbers(home: Path) -> None:
    assert [path.name for path in virtual.modules(home)] == ["11-first.ko", "12-second.ko.xz"]


def test_a_kernel_without_its_modules_boots_nothing(home: Path) -> None:
    assert virtual.probe_kernel(home, "/opt/python").available
    assert virtual.find_kernel(home) == home / "vmlinuz"
    for path in (home / "modules").iterdir():
        path.unlink()
    (home / "modules").rmdir()
    found = virtual.probe_kernel(home, "/opt/python")
    assert not found.available
    assert "no kernel with modules" in found.reason


@pytest.mark.parametrize("place", ["/tmp/venv/bin/python", "/var/tmp/x/python", "/run/python"])
def test_a_toolkit_that_a_guest_does_not_see_is_an_obstacle(home: Path, place: str) -> None:
    found = virtual.probe_kernel(home, place)
    assert not found.available
    assert "a guest does not see" in found.reason


def test_a_guest_has_half_of_what_the_container_may_have(tmp_path: Path) -> None:
    free = virtual.memory(tmp_path / "nothing")
    assert 1 << 30 <= free <= 8 << 30
    (tmp_path / "memory.max").write_text(f"{3 << 30}\n")
    assert virtual.memory(tmp_path) == min(free, 3 << 29)
    (tmp_path / "memory.max").write_text("max\n")
    assert abs(virtual.memory(tmp_path) - free) < 1 << 30
    (tmp_path / "memory.max").write_text(f"{1 << 20}\n")
    assert virtual.memory(tmp_path) == 1 << 30


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo ERROR cannot drop groups >&2; exit 1", "virtiofsd does not run: ERROR cannot drop groups"),
        ('for word; do case $word in --socket-path=*) touch "${word#*=}";; esac; done; exit 1', "it said nothing"),
        (
            'for word; do case $word in --socket-path=*) touch "${word#*=}";; esac; done; exec sleep 60',
            "waits for a guest",
        ),
    ],
)
def test_virtiofsd_is_started_to_see_whether_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    program = tmp_path / "virtiofsd"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(virtual, "find_virtiofsd", lambda: str(program))
    found = virtual.probe_virtiofsd()
    assert reason in found.reason
    assert found.available == ("waits" in reason)


def test_without_virtiofsd_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual, "find_virtiofsd", lambda: None)
    assert virtual.probe_virtiofsd().reason == "virtiofsd is not installed"
