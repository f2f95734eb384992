import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ci_toolkit.host import workspaces
from ci_toolkit.host.workspaces import Workspace

# A container's, shortened; proc(5) describes the fields.
MOUNTINFO = """\
235 207 0:61 / / rw,relatime master:4 - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w
236 235 0:66 / /proc rw,nosuid - proc proc rw
250 235 254:0 /srv/builds /builds rw,relatime - ext4 /dev/vda rw
251 235 0:70 / /mnt/with\\040space rw shared:1 master:2 - 9p share rw
"""


def room(**changes: object) -> Workspace:
    facts: dict[str, object] = {"path": "/builds", "kind": "ext4", "free_bytes": 50 * 10**9, "writable": True}
    return Workspace(**(facts | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("device", "kind"), [((254, 0), "ext4"), ((0, 61), "overlay"), ((0, 70), "9p"), ((9, 9), "unknown")]
)
def test_the_file_system_is_the_one_with_the_device_number(device: tuple[int, int], kind: str) -> None:
    assert workspaces.kind_of(os.makedev(*device), MOUNTINFO) == kind


def test_room_on_a_local_disk_will_do() -> None:
    found = workspaces.judge(room())
    assert found.available
    assert found.reason == "ext4, 50.0 GB free"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"free_bytes": 3 * 10**9}, "less than 10 GB"),
        ({"kind": "tmpfs"}, "tmpfs is memory"),
        ({"kind": "9p"}, "may refuse foreign owners"),
        ({"writable": False}, "not writable"),
    ],
)
def test_what_speaks_against_a_workspace_is_said(changes: dict[str, object], reason: str) -> None:
    found = workspaces.judge(room(**changes))
    assert not found.available
    assert reason in found.reason


def test_the_probe_and_df_agree_on_the_file_system(tmp_path: Path) -> None:
    if shutil.which("df") is None:
        pytest.skip("df (coreutils) is not installed")
    said = subprocess.run(("df", "--output=fstype", tmp_path), capture_output=True, text=True, check=True)
    (found,) = workspaces.probe((tmp_path,))
    assert found.reason.split(",")[0] == said.stdout.split()[-1]


def test_the_cache_and_var_tmp_are_candidates_too(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    found = workspaces.candidates(tmp_path, {"XDG_CACHE_HOME": str(cache)})
    assert found == (tmp_path, cache, workspaces.existing(Path("/var/tmp")))


def test_a_cache_that_is_not_there_yet_counts_as_where_it_would_be_made(tmp_path: Path) -> None:
    assert workspaces.candidates(tmp_path, {"HOME": str(tmp_path / "alice")})[0:2][-1] in (tmp_path, Path("/var/tmp"))
    assert workspaces.existing(tmp_path / "a/b/c") == tmp_path
