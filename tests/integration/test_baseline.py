"""A baseline end to end: an image is built, its definition changes, and the comment on the next one says by what."""

import json
import random
import re
from pathlib import Path

import pytest
from fake_github import FakeGitHub

from tests.integration import small, steps
from tests.integration.conftest import toolkit

pytestmark = pytest.mark.integration

MORE_BYTES = 3_000_000


def test_the_comment_says_what_changed_since_an_earlier_build(
    runner: None, checkout: Path, github: FakeGitHub, tmp_path: Path
) -> None:
    for name in ("workspace", "temporary"):
        (tmp_path / name).mkdir()
    workspace, base = tmp_path / "workspace", tmp_path / "base"
    small.write(workspace, {"images/mkosi.conf": small.DEBIAN})
    small.commit(workspace)
    completed = toolkit("build", str(workspace / "images"), "--output", str(base))
    assert completed.returncode == 0, completed.stderr

    more = workspace / "images/mkosi.extra/usr/share/more"
    more.parent.mkdir(parents=True)
    more.write_bytes(random.Random(5).randbytes(MORE_BYTES))
    changed = small.DEBIAN.replace("Packages=base-files\n", "Packages=base-files\n         netbase\n")
    small.write(workspace, {"images/mkosi.conf": changed})
    small.commit(workspace)
    job = steps.job(workspace, tmp_path / "temporary", github)
    given = {"directory": "images", "image": steps.IMAGE, "vary": "hostname", "baseline": str(base / "report.json")}
    outcome = job.run(steps.ACTION, checkout, given)
    assert not outcome.failed, outcome.log

    (comment,) = github.bodies
    grown = (workspace / outcome.outputs["image"]).stat().st_size - (base / "small.tar").stat().st_size
    assert grown > MORE_BYTES
    assert re.search(rf"^### ✅ Reproducible · .* \(\+{grown / 1e6:.1f} MB\) · ", comment, re.MULTILINE)
    installed = {
        one["name"]: one["version"]
        for one in json.loads((base / "report.json").read_text("utf-8"))["builds"][0]["packages"]
    }
    assert installed
    assert "netbase" not in installed
    assert "<summary>Packages: 1 added</summary>" in comment
    assert re.search(r"^\| `netbase` \| – \| `[\d.]+` \|$", comment, re.MULTILINE)
