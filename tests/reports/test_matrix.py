import json
from dataclasses import replace

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
    ("templates", "place"), [(matrix.TEMPLATES, "remote"), ("/ci", "local")], ids=("address", "path")
)
def test_gitlab_gets_a_pipeline_with_a_job_for_each_row_and_one_for_the_note(templates: str, place: str) -> None:
    plain, arm, report = yaml.safe_load(matrix.for_gitlab((PLAIN, ARM), templates))["include"]
    assert plain == {
        place: f"{templates}/verify.yml",
        "inputs": {
            "job": "debian-x86-64",
            "directory": "images/debian",
            "output": "output/debian-x86-64",
            "comment": "false",
            "status": "false",
        },
    }
    assert arm["inputs"]["profile"] == "a b"
    assert arm["inputs"]["mkosi-args"] == "--architecture=arm64"
    assert report == {
        place: f"{templates}/report.yml",
        "inputs": {"needs": ["debian-x86-64", "debian-a-b-arm64"], "report": "output"},
    }


def test_more_jobs_than_one_may_need_have_a_note_each() -> None:
    rows = [replace(PLAIN, artifact=str(number)) for number in range(51)]
    jobs = yaml.safe_load(matrix.for_gitlab(rows))["include"]
    assert len(jobs) == 51
    assert all("comment" not in job["inputs"] for job in jobs)
    assert len(yaml.safe_load(matrix.for_gitlab(rows[:50]))["include"]) == 51


def test_without_a_row_there_is_nothing_to_report() -> None:
    assert yaml.safe_load(matrix.for_gitlab(()))["include"] == []


def test_people_get_a_line_for_each() -> None:
    assert matrix.lines((PLAIN,)) == "debian-x86-64  images/debian  -  x86-64\n"
    assert matrix.lines(()) == ""
