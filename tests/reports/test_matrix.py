import json

import pytest
import yaml

from ci_toolkit.mkosi.matrix import Row
from ci_toolkit.reports import matrix

PLAIN = Row(
    name="debian", artifact="debian-x86-64", directory="images/debian", profile="", architecture="x86-64", arguments=()
)
ARM = Row(
    name="debian (a b, arm64)",
    artifact="debian-a-b-arm64",
    directory="images/$[[ inputs.job ]]",
    profile="a b",
    architecture="arm64",
    arguments=("--architecture=arm64",),
)


def test_github_gets_one_line_of_json_with_the_inputs_of_the_action() -> None:
    text = matrix.for_github((PLAIN, ARM))
    assert "\n" not in text
    plain, arm = json.loads(text)["include"]
    assert plain == {
        "name": "debian",
        "artifact": "debian-x86-64",
        "directory": "images/debian",
        "profile": "",
        "architecture": "x86-64",
        "runs-on": "ubuntu-24.04",
        "mkosi-args": "",
    }
    assert (arm["runs-on"], arm["mkosi-args"]) == ("ubuntu-24.04-arm", "--architecture=arm64")


@pytest.mark.parametrize(
    ("template", "place"), [(matrix.TEMPLATE, "remote"), ("/ci/verify.yml", "local")], ids=("address", "path")
)
def test_gitlab_gets_a_pipeline_that_includes_the_template_for_each_row(template: str, place: str) -> None:
    plain, arm = yaml.safe_load(matrix.for_gitlab((PLAIN, ARM), template))["include"]
    assert plain == {
        place: template,
        "inputs": {"job": "debian-x86-64", "directory": "images/debian", "output": "output/debian-x86-64"},
    }
    assert arm["inputs"]["profile"] == "a b"
    assert arm["inputs"]["mkosi-args"] == "--architecture=arm64"


def test_people_get_a_line_for_each() -> None:
    assert matrix.lines((PLAIN,)) == "debian-x86-64  images/debian  -  x86-64\n"
    assert matrix.lines(()) == ""
