"""Directories of runs that are killed, and of runs that live: other processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ci_toolkit.host import leftovers

ROOT = Path(__file__).parents[2]
HOLD = (
    "import sys; from pathlib import Path; from ci_toolkit.host import leftovers\n"
    "with leftovers.directory(Path(sys.argv[1]), '.run-') as made:\n"
    "    (made / 'part').write_text('x'); print(made, flush=True); sys.stdin.read()\n"
)


@contextmanager
def living(place: Path) -> Iterator[tuple[Path, "subprocess.Popen[str]"]]:
    """A run in PLACE that is older than any that may not have locked its directory yet."""
    argv = (sys.executable, "-c", HOLD, place)
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        made = Path(process.stdout.readline().strip())
        os.utime(made, (0, 0))
        yield made, process
        process.kill()


def test_what_a_killed_run_left_is_removed_and_a_living_one_keeps_its_own(tmp_path: Path) -> None:
    with living(tmp_path) as (killed, process):
        process.kill()
        process.wait()
        with living(tmp_path) as (alive, _), leftovers.directory(tmp_path, ".run-") as ours:
            assert {path.name for path in tmp_path.iterdir()} == {alive.name, ours.name}
            assert (alive / "part").is_file()
    assert not killed.exists()


def test_a_young_one_and_what_is_called_otherwise_stay(tmp_path: Path) -> None:
    for name in (".run-young", "other", ".run-file"):
        (tmp_path / name).touch() if name.endswith("file") else (tmp_path / name).mkdir()
    for name in ("other", ".run-file"):
        os.utime(tmp_path / name, (0, 0))
    leftovers.sweep((tmp_path,), ".run-")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".run-file", ".run-young", "other"]


def test_a_link_to_somebody_elses_directory_is_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    (tmp_path / ".run-link").symlink_to(kept)
    os.utime(tmp_path / ".run-link", (0, 0), follow_symlinks=False)
    leftovers.sweep((tmp_path,), ".run-")
    assert (kept / "file").is_file()
