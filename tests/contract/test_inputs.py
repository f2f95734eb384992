"""The inputs and outputs, told in many places: each is as the tables in settings.py have it."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ci_toolkit.boot.image import BIOS, SECURE_BOOT, UEFI
from ci_toolkit.cli.action import CHILD_PIPELINE
from ci_toolkit.cli.products import DIRECTORY as BOOTS
from ci_toolkit.cli.results import DOTENV
from ci_toolkit.formats.table import FORMATS
from ci_toolkit.releasing.run import NOTES
from ci_toolkit.releasing.state import NAME as STATE
from ci_toolkit.runners.container import PUBLISHED_IMAGE
from ci_toolkit.settings import OUTPUTS, SETTINGS, Setting

ROOT = Path(__file__).parents[2]
ACTION: Mapping[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
CALLED: Mapping[str, Any] = yaml.safe_load((ROOT / ".github/workflows/image.yml").read_text(encoding="utf-8"))
CALLED_INPUTS: Mapping[str, Any] = CALLED[True]["workflow_call"]["inputs"]  # type: ignore[index] # YAML 1.1 reads "on" so
TEMPLATES: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    name: tuple(yaml.safe_load_all((ROOT / f"templates/{name}.yml").read_text(encoding="utf-8")))
    for name in ("verify", "build", "report", "release")
}
# What each template calls, and its inputs that are no settings.
COMMANDS = {"verify": None, "build": "build", "report": "comment", "release": "release"}
OWN = {
    "verify": ["job", "stage"],
    "build": ["job", "stage", "keep"],
    "report": ["job", "stage", "needs", "environment"],
    "release": ["job", "stage", "environment"],
}
CALL = next(step for step in ACTION["runs"]["steps"] if step.get("id") == "toolkit")

# GitLab hands a token over as a masked variable; an input would be readable in the pipeline.
ON_GITLAB = tuple(setting for setting in SETTINGS if not setting.secret)
# Where the template's own image is the job's as well, which the table cannot know.
IMAGE_OF_THE_JOB = "The toolkit's own image, in which the job runs; also for the runner `container`."


def settings_of(template: str) -> list[Setting]:
    command = COMMANDS[template]
    if command is None:
        return list(ON_GITLAB)
    return [row for row in ON_GITLAB if row.name != "command" and (row.is_of(command) or row.name == "image")]


def inputs_of(template: str) -> Mapping[str, Any]:
    inputs: Mapping[str, Any] = TEMPLATES[template][0]["spec"]["inputs"]
    return inputs


def job_of(template: str) -> Mapping[str, Any]:
    job: Mapping[str, Any]
    (job,) = TEMPLATES[template][1].values()
    return job


def with_choices(setting: Setting, quote: str = "") -> str:
    """The description of an input where nothing else names its choices."""
    if not setting.choices:
        return setting.help
    return f"{setting.help} One of {', '.join(f'{quote}{choice}{quote}' for choice in setting.choices)}."


def texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for inside in value.values():
            yield from texts(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from texts(inside)
    else:
        yield str(value)


def test_what_make_doors_writes_is_written() -> None:
    completed = subprocess.run(
        (sys.executable, "-m", "doors", "--check"), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, f"{completed.stdout}{completed.stderr}run: make doors"


def test_no_input_is_required() -> None:
    assert [name for name, row in ACTION["inputs"].items() if row.get("required") or "default" not in row] == []
    assert [name for name, row in CALLED_INPUTS.items() if row.get("required") or "default" not in row] == []
    rows = ((template, name, row) for template in TEMPLATES for name, row in inputs_of(template).items())
    assert [(template, name) for template, name, row in rows if "default" not in row] == []


def test_the_action_takes_every_setting_and_the_name_of_the_artifact() -> None:
    assert list(ACTION["inputs"]) == [*(setting.name for setting in SETTINGS), "artifact"]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_an_input_of_the_action_is_a_row_of_the_settings(setting: Setting) -> None:
    default = "${{ github.token }}" if setting.secret else setting.default
    assert ACTION["inputs"][setting.name] == {"description": with_choices(setting), "default": default}


def test_the_call_of_the_toolkit_gets_every_input_in_its_variable() -> None:
    expected = {f"INPUT_{setting.variable}": f"${{{{ inputs.{setting.name} }}}}" for setting in SETTINGS}
    assert CALL["env"] == expected | {"INPUT_CACHE": "${{ steps.packages.outputs.path || inputs.cache }}"}


def test_no_script_holds_an_expression() -> None:
    """What a pull request can write would become shell code."""
    scripts = [step["run"] for step in ACTION["runs"]["steps"] if "run" in step]
    assert len(scripts) == 3
    assert [script for script in scripts if "${{" in script] == []


def test_the_token_goes_to_the_toolkit_alone() -> None:
    others = [step for step in ACTION["runs"]["steps"] if step is not CALL]
    assert [text for text in texts(others) if "token" in text] == []


def test_the_outputs_of_the_action_are_the_table_and_come_from_that_call() -> None:
    assert ACTION["outputs"] == {
        row.name: {"description": row.help, "value": f"${{{{ steps.toolkit.outputs.{row.name} }}}}"} for row in OUTPUTS
    }


def test_the_reusable_workflow_takes_what_verify_reads_but_for_the_token() -> None:
    rows = [row for row in SETTINGS if row.is_of("verify") and not row.secret and row.name != "command"]
    assert {
        row.name: {"description": with_choices(row), "type": "string", "default": row.default} for row in rows
    } == CALLED_INPUTS


def handed(job: str) -> set[str]:
    """The inputs of the reusable workflow that JOB hands to the action under their own names."""
    given = CALLED["jobs"][job]["steps"][-1]["with"]
    return {name for name, value in given.items() if value == f"${{{{ inputs.{name} }}}}"}


def test_every_input_of_the_reusable_workflow_reaches_the_action() -> None:
    by_the_matrix, by_a_job = {"directory", "profile", "mkosi-args"}, {"comment"}
    assert handed("verify") | handed("comment") == set(CALLED_INPUTS) - by_the_matrix - by_a_job
    assert handed("matrix") >= by_the_matrix
    assert "inputs.comment == 'true'" in CALLED["jobs"]["comment"]["if"]


def test_no_job_that_builds_may_write() -> None:
    writing = {name for name, job in CALLED["jobs"].items() if "write" in job["permissions"].values()}
    assert writing == {"comment"}
    steps = CALLED["jobs"]["comment"]["steps"]
    assert [step["uses"].partition("@")[0] for step in steps] == ["actions/download-artifact", "archlinux/mkosi-action"]
    for job in ("matrix", "verify"):
        assert "token" not in CALLED["jobs"][job]["steps"][-1]["with"]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_takes_the_settings_of_its_command_but_the_token(template: str) -> None:
    assert list(inputs_of(template)) == [*OWN[template], *(setting.name for setting in settings_of(template))]


@pytest.mark.parametrize("template", TEMPLATES)
def test_an_input_of_a_template_is_a_row_of_the_settings(template: str) -> None:
    for setting in settings_of(template):
        expected: dict[str, object] = {"description": setting.help, "default": setting.default}
        if setting.choices:
            expected["options"] = list(setting.choices)
        if setting.name == "cache":  # GitLab keeps nothing outside the checkout
            expected["default"] = ".ci-toolkit-packages"
        if setting.name == "image":
            expected = {"description": IMAGE_OF_THE_JOB, "default": PUBLISHED_IMAGE}
        assert inputs_of(template)[setting.name] == expected


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_job_of_a_template_gets_every_input_in_its_variable(template: str) -> None:
    expected = {f"CI_TOOLKIT_{row.variable}": f"$[[ inputs.{row.name} ]]" for row in settings_of(template)}
    if COMMANDS[template] is not None:
        expected["CI_TOOLKIT_COMMAND"] = str(COMMANDS[template])
    more = {"CI_TOOLKIT_CACHE_POLICY", "GIT_STRATEGY"}
    assert {name: value for name, value in job_of(template)["variables"].items() if name not in more} == expected


def test_only_the_default_branch_writes_the_package_cache() -> None:
    """What a merge request fetched is not for others; neither is what a pull request fetched."""
    for template in ("verify", "build"):
        rules = job_of(template)["rules"]
        writing = [rule for rule in rules if rule.get("variables") == {"CI_TOOLKIT_CACHE_POLICY": "pull-push"}]
        assert [rule["if"] for rule in writing] == ["$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"]
        assert job_of(template)["variables"]["CI_TOOLKIT_CACHE_POLICY"] == "pull"
    (save,) = (step for step in ACTION["runs"]["steps"] if step.get("uses", "").startswith("actions/cache/save@"))
    assert re.findall(r"event_name == '(\w+)'", save["if"]) == ["push", "schedule", "workflow_dispatch"]


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_script_of_a_job_holds_no_input(template: str) -> None:
    assert job_of(template)["script"] == ["ci-toolkit action"]


def test_the_jobs_keep_the_reports_that_the_toolkit_writes() -> None:
    place = "$[[ inputs.output ]]"
    for template in ("build", "verify"):
        assert job_of(template)["artifacts"]["reports"] == {
            "dotenv": f"{place}/{DOTENV}",
            "junit": [f"{place}/report.junit.xml", f"{place}.failed/report.junit.xml"],
            "metrics": f"{place}/report.metrics.txt",
        }


def test_the_job_that_releases_hands_on_what_it_released_and_keeps_what_was_written() -> None:
    artifacts, place = job_of("release")["artifacts"], "$[[ inputs.output ]]"
    assert artifacts["reports"] == {"dotenv": f"{place}/{DOTENV}"}
    assert {f"{place}/{name}" for name in (NOTES, STATE, f"{BOOTS}/")} <= set(artifacts["paths"])


def test_every_format_and_every_firmware_is_named_where_people_look_for_the_input() -> None:
    told = {setting.name: setting.help for setting in SETTINGS}
    assert [one.name for one in FORMATS if f" {one.name}," not in told["formats"].replace(";", ",")] == []
    assert ", ".join((BIOS, UEFI, SECURE_BOOT)) in told["boot"]


def test_what_was_seen_of_a_start_is_kept() -> None:
    paths = job_of("verify")["artifacts"]["paths"]
    assert f"$[[ inputs.output ]]/{BOOTS}/" in paths
    (upload,) = (
        step for step in ACTION["runs"]["steps"] if step.get("uses", "").startswith("actions/upload-artifact@")
    )
    assert f"${{{{ steps.toolkit.outputs.output }}}}/{BOOTS}/*" in upload["with"]["path"].splitlines()


def test_the_job_keeps_the_child_pipeline_that_the_toolkit_writes() -> None:
    assert CHILD_PIPELINE in job_of("verify")["artifacts"]["paths"]


def test_what_is_exposed_in_the_merge_request_is_named_without_a_pattern() -> None:
    """GitLab refuses `*` in the paths beside expose_as, and takes letters, digits, blanks, - and _ for its text."""
    artifacts = job_of("verify")["artifacts"]
    assert re.fullmatch(r"[A-Za-z0-9_ -]{1,100}", artifacts["expose_as"].replace("$[[ inputs.job ]]", "verify-image"))
    assert [path for path in artifacts["paths"] if "*" in path or re.search(r"\$(?!\[\[ inputs)", path)] == []


def test_the_readme_tells_every_input_with_its_default() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("\n## Inputs\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \| (.+) \|$", section, re.MULTILINE)
    assert rows == [
        (setting.name, f"`{setting.default}`" if setting.default else "–", with_choices(setting, "`"))
        for setting in SETTINGS
    ]


def test_the_readme_tells_every_output() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("\n## Outputs\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(.+?)` \| (.+) \|$", section, re.MULTILINE)
    assert rows == [(row.name, row.help) for row in OUTPUTS]
