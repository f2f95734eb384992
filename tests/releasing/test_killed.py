"""Killed in every place, and gone on with: what people get is what an undisturbed release gives them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from shelves import SHELVES, Shelf

pytestmark = pytest.mark.slow

# A request is two places, and there are many: of those of a server only some are tried.
STRIDES = {"directory": 1, "github": 4, "gitlab": 4, "registry": 11}
ROOT = Path(__file__).parents[2]


def killed_everywhere(kind: str, shelf: Shelf, place: Path) -> list[str]:
    """Return the versions of the releases, of which each was killed in another place."""
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests/fakes")))
    completed = subprocess.run(
        (sys.executable, ROOT / "tests/fakes/releaser.py", place),
        input=json.dumps({"target": shelf.written, "environ": shelf.environ, "stride": STRIDES[kind]}),
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    versions: list[str] = json.loads(completed.stdout)
    return versions


@pytest.mark.parametrize("kind", SHELVES)
def test_a_release_that_was_killed_and_gone_on_with_is_as_one_undisturbed(kind: str, tmp_path: Path) -> None:
    for shelf in SHELVES[kind](tmp_path):
        if shelf.server is not None:
            shelf.server.checks = False  # which lists of many releases would make slow
        versions = killed_everywhere(kind, shelf, tmp_path)
        assert len(versions) >= 5
        published = shelf.published()
        for version in versions:
            reference = tmp_path / "reference" / version
            assert version in published
            if shelf.sends == "PATCH":
                argv = ("skopeo", "inspect", "--tls-verify=false", "--format={{.Digest}}", str(published[version]))
                said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
                index = json.loads((reference / "cloud.oci/index.json").read_text(encoding="utf-8"))
                assert said == index["manifests"][0]["digest"]
                continue
            files = {
                path.relative_to(reference).as_posix(): path.read_bytes()
                for path in reference.rglob("*")
                if path.is_file() and "cloud.oci" not in path.parts
            }
            assert published[version] == files
        assert not list(tmp_path.glob("mirror/.*"))
