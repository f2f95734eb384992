"""A file is streamed: what it takes of memory has nothing to do with its size."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sink

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SIZE = 400 << 20
LIMIT_BYTES = 200 << 20
# What wait4 tells of a child begins with what its parent had when it was forked.
PEAK = """
import sys
from ci_toolkit.cli.main import run
code = run(sys.argv[1:])
print(open("/proc/self/status").read())
sys.exit(code)
"""


@pytest.mark.parametrize("to", ["gitlab:cloud", "dir:mirror"])
def test_a_large_file_is_published_within_200_mb(tmp_path: Path, to: str) -> None:
    files = tmp_path / "files"
    files.mkdir()
    with (files / "large.raw").open("wb") as file:
        file.truncate(SIZE)
    with sink.running() as gitlab:
        environ = {"CI_API_V4_URL": gitlab.api_url, "CI_PROJECT_ID": "7", "GITLAB_TOKEN": "t"}
        argv = (sys.executable, "-c", PEAK, "publish", str(files), "--to", to, "--version", "2026.11.28")
        environ |= {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        done = subprocess.run(argv, cwd=tmp_path, env=environ, check=True, stdout=subprocess.PIPE, text=True)
        peak = re.search(r"^VmHWM:\s+(\d+) kB$", done.stdout, re.MULTILINE)
        assert peak is not None
        assert int(peak[1]) * 1024 < LIMIT_BYTES
        if to.startswith("gitlab"):
            assert gitlab.released == ["2026.11.28"]
            assert {one["file_name"]: one["size"] for one in gitlab.files}["large.raw"] == SIZE
