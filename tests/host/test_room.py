"""Room for two builds, with a control group's files as the kernel writes them."""

from pathlib import Path

import pytest

from ci_toolkit.host import room


@pytest.mark.parametrize(
    ("files", "processors"),
    [
        ({"cpu.max": "max 100000\n"}, float("inf")),
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, float("inf")),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.5),
        ({}, float("inf")),
    ],
)
def test_a_control_group_limits_the_processors(tmp_path: Path, files: dict[str, str], processors: float) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert room.quota(tmp_path) == processors


def plenty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr("ci_toolkit.host.virtual.free_memory", lambda _: 8 << 30)
    monkeypatch.setattr(room, "DISK", 0)


def test_with_plenty_of_everything_nothing_is_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plenty(monkeypatch)
    assert room.obstacle(tmp_path, tmp_path) is None


def test_what_is_short_is_named_with_its_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plenty(monkeypatch)
    monkeypatch.setattr(room, "DISK", 1 << 60)
    assert "GiB are free where the builds lie" in (room.obstacle(tmp_path, tmp_path) or "")
    monkeypatch.setattr("ci_toolkit.host.virtual.free_memory", lambda _: 1 << 30)
    assert room.obstacle(tmp_path, tmp_path) == "1.0 GiB of memory are free, and 4 would be needed"
    (tmp_path / "cpu.max").write_text("50000 100000")
    assert room.obstacle(tmp_path, tmp_path) == "there is 0.5 processor"
