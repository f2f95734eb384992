"""A file is streamed: what it takes of memory has nothing to do with its size."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sink

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SIZE = 400 << 20
LIMIT_BYTES = 200 << 20


@pytest.mark.parametrize("to", ["gitlab:cloud", "dir:mirror"])
def test_a_large_file_is_published_within_200_mb(tmp_path: Path, to: str) -> None:
    files = tmp_path / "files"
    files.mkdir()
    with (files / "large.raw").open("wb") as file:
        file.truncate(SIZE)
    with sink.running() as gitlab:
        environ = {"CI_API_V4_URL": gitlab.api_url, "CI_PROJECT_ID": "7", "GITLAB_TOKEN": "t"}
        argv = (sys.executable, "-m", "ci_toolkit", "publish", str(files), "--to", to, "--version", "2026.11.28")
        child = subprocess.Popen(
            argv, cwd=tmp_path, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ}
        )
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert status == 0
        assert used.ru_maxrss * 1024 < LIMIT_BYTES
        if to.startswith("gitlab"):
            assert gitlab.released == ["2026.11.28"]
            assert {one["file_name"]: one["size"] for one in gitlab.files}["large.raw"] == SIZE
