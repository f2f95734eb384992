"""The runner `container` with Podman, which has no service here before or after."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ci_toolkit.runners.container import LOCAL_IMAGE
from tests.integration import podman, small
from tests.integration.conftest import ROOT

pytestmark = pytest.mark.integration

IMAGE = os.environ.get("CI_TOOLKIT_IMAGE", LOCAL_IMAGE)


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    try:
        with podman.ready(tmp_path_factory.mktemp("podman"), IMAGE) as found:
            yield {"PYTHONPATH": str(ROOT), "CI_TOOLKIT_IMAGE": IMAGE, **found}
    except podman.UnavailableError as error:
        pytest.skip(str(error))


def toolkit(variables: Mapping[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        (sys.executable, "-m", "ci_toolkit", *arguments),
        env={**small.environ(), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_image_is_verified_and_nothing_stays_behind(variables: Mapping[str, str], tmp_path: Path) -> None:
    small.custom(tmp_path / "checkout", 'mkdir -p "$BUILDROOT/srv" && chown 33:42 "$BUILDROOT/srv"')
    before = podman.containers()
    output = tmp_path / "output"
    completed = toolkit(
        variables, "verify", str(tmp_path / "checkout/images"), "--runner", "container", "--output", str(output)
    )
    assert completed.returncode == 0, completed.stderr
    assert f"Runner: container: {IMAGE} in Podman " in completed.stderr
    assert {path.stat().st_uid for path in output.iterdir()} == {os.getuid()}
    assert podman.containers() == before
    listed = subprocess.run(
        ("tar", "--list", "--verbose", "--numeric-owner", "--file", output / "small.tar", "./srv/"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout.split()[1] == "33/42"


def test_the_doctor_tells_which_engine_it_is(variables: Mapping[str, str]) -> None:
    completed = toolkit(variables, "doctor", str(ROOT))
    assert "Podman" in completed.stdout
    assert "started for the build" in completed.stdout


def test_a_machine_that_is_too_limited_for_podmans_defaults_is_told_which_settings_help(
    variables: Mapping[str, str], tmp_path: Path
) -> None:
    settings = variables.get("CONTAINERS_CONF")
    if settings is None:
        pytest.skip("Podman's defaults do on this machine")
    small.custom(tmp_path / "checkout", "true")
    defaults = {**variables, "CONTAINERS_CONF": ""}
    arguments = ("build", str(tmp_path / "checkout/images"), "--runner", "container")
    completed = toolkit(defaults, *arguments, "--output", str(tmp_path / "output"))
    assert completed.returncode == 3
    words = [line.partition("=")[0].strip() for line in Path(settings).read_text(encoding="utf-8").splitlines()]
    assert any(word in completed.stderr for word in words if word and not word.startswith("[")), completed.stderr
