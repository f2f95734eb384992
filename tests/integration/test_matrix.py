"""What the real mkosi says that there is to build."""

import json
from pathlib import Path

import pytest

from tests.integration import small
from tests.integration.conftest import ROOT, toolkit

pytestmark = pytest.mark.integration


def test_every_example_is_a_row_of_its_own(runner: None) -> None:
    completed = toolkit("matrix", "examples", "--for", "github")
    assert completed.returncode == 0, completed.stderr
    rows = json.loads(completed.stdout)["include"]
    profiles = sorted(path.name for path in (ROOT / "examples/arch/mkosi.profiles").iterdir())
    wanted = [("arch", name) for name in ("", *profiles)] + [(name, "") for name in ("debian", "leaky", "tiny")]
    found = [(row["directory"], row["profile"]) for row in rows]
    assert sorted(found) == [(f"examples/{name}", profile) for name, profile in wanted]


def test_profiles_and_architectures_are_asked_of_mkosi_and_what_leaves_no_image_is_left_out(
    runner: None, tmp_path: Path
) -> None:
    small.write(
        tmp_path,
        {
            "a/mkosi.conf": small.CUSTOM,
            "a/mkosi.profiles/server.conf": "[Output]\nImageId=server\n",
            "a/mkosi.profiles/none/mkosi.conf": "[Output]\nFormat=none\n",
            "not-one/README": "",
        },
    )
    small.commit(tmp_path)
    architectures = ("--architecture", "x86-64,arm64")
    completed = toolkit("matrix", str(tmp_path), "--for", "github", *architectures)
    assert completed.returncode == 0, completed.stderr
    rows = json.loads(completed.stdout)["include"]
    assert [(row["profile"], row["architecture"]) for row in rows] == [
        ("", "x86-64"),
        ("", "arm64"),
        ("server", "x86-64"),
        ("server", "arm64"),
    ]
    assert len({row["artifact"] for row in rows}) == 4


def test_what_mkosi_refuses_is_told_in_one_line(runner: None, tmp_path: Path) -> None:
    small.write(tmp_path, {"a/mkosi.conf": small.CUSTOM + "Formatt=disk\nFormat=nonsense\n"})
    small.commit(tmp_path)
    completed = toolkit("matrix", str(tmp_path))
    assert completed.returncode == 4
    assert "Traceback" not in completed.stderr
    assert "nonsense" in completed.stderr
