import os
import shutil
from pathlib import Path

import pytest

from ci_toolkit.errors import HostError
from ci_toolkit.host import engine
from ci_toolkit.runners import podman

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def installed() -> None:
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed")


def test_the_service_answers_as_podman_until_its_context_ends(tmp_path: Path) -> None:
    with podman.service(os.environ, tmp_path / "log") as address:
        found = engine.choose({"DOCKER_HOST": address}, tmp_path)
        assert found.engine is not None
        assert found.engine.name == "Podman"
    gone = engine.choose({"DOCKER_HOST": address}, tmp_path)
    assert (gone.engine, gone.refused) == (None, "No such file or directory")


def test_one_that_does_not_start_is_told_with_podmans_words(tmp_path: Path) -> None:
    broken = tmp_path / "containers.conf"
    broken.write_text("[engine", encoding="utf-8")
    with (
        pytest.raises(HostError, match=r"does not start: .*containers\.conf"),
        podman.service({**os.environ, "CONTAINERS_CONF": str(broken)}, tmp_path / "log"),
    ):
        pass
