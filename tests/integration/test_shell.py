"""`ci-toolkit shell` at a real terminal, in a real place; mkosi's own shell in the image included."""

import sys
from pathlib import Path

import pytest
import terminal

from tests.integration import small
from tests.integration.conftest import ROOT

pytestmark = pytest.mark.integration

PROMPT = "[build] "


@pytest.mark.usefixtures("runner")
def test_the_build_is_at_hand_and_mkosi_opens_a_shell_where_it_fails(tmp_path: Path) -> None:
    small.custom(tmp_path / "checkout", "exit 3")
    output = tmp_path / "output"
    argv = (sys.executable, "-m", "ci_toolkit", "shell", str(tmp_path / "checkout/images"), "--output", str(output))
    lines = {
        PROMPT: "id -u; hostname; /var/tmp/ci-toolkit/build --debug-shell\n",
        "non-zero exit code 3": "echo $((40 + 2)) inside; cat /buildroot/etc/motd; exit\n",
        "42 inside": "exit 7\n",
    }
    environment = {**small.environ(), "PYTHONPATH": str(ROOT), "TERM": "dumb"}
    shown, code = terminal.typed(argv, lines, environment, cwd=ROOT)
    words = shown.replace("\r", "").splitlines()
    assert code == 7, shown
    assert {"0", "image-builder", "42 inside", "Hello"} <= set(words)
    assert not output.exists()
