"""The inputs, told four times: the table of settings, action.yml, the GitLab template, README.md."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ci_toolkit.cli.action import DOTENV
from ci_toolkit.runners.container import PUBLISHED_IMAGE
from ci_toolkit.settings import SETTINGS, Setting

ROOT = Path(__file__).parents[2]
ACTION: Mapping[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
TEMPLATE: tuple[Mapping[str, Any], ...] = tuple(
    yaml.safe_load_all((ROOT / "workflows/gitlab/verify.yml").read_text(encoding="utf-8"))
)
HEADER = TEMPLATE[0]["spec"]["inputs"]
(JOB,) = TEMPLATE[1].values()
CALL = next(step for step in ACTION["runs"]["steps"] if step.get("id") == "toolkit")

# GitLab hands a token over as a masked variable; an input would be readable in the pipeline.
ON_GITLAB = tuple(setting for setting in SETTINGS if not setting.secret)
# Where the template's own image is the job's as well, which the table cannot know.
IMAGE_OF_THE_JOB = "The toolkit's own image, in which the job runs; also for the runner `container`."


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


def test_the_outputs_of_the_action_come_from_that_call() -> None:
    assert {name: output["value"] for name, output in ACTION["outputs"].items()} == {
        name: f"${{{{ steps.toolkit.outputs.{name} }}}}" for name in ("verdict", "image", "sha256", "output")
    }


def test_the_template_takes_every_setting_but_the_token_and_its_job_and_stage() -> None:
    assert list(HEADER) == ["job", "stage", *(setting.name for setting in ON_GITLAB)]


@pytest.mark.parametrize("setting", ON_GITLAB, ids=lambda setting: setting.name)
def test_an_input_of_the_template_is_a_row_of_the_settings(setting: Setting) -> None:
    expected: dict[str, object] = {"description": setting.help, "default": setting.default}
    if setting.choices:
        expected["options"] = list(setting.choices)
    if setting.name == "cache":  # GitLab keeps nothing outside the checkout
        expected["default"] = ".ci-toolkit-packages"
    if setting.name == "image":
        expected = {"description": IMAGE_OF_THE_JOB, "default": PUBLISHED_IMAGE}
    assert HEADER[setting.name] == expected


def test_the_job_gets_every_input_in_its_variable() -> None:
    expected = {f"CI_TOOLKIT_{setting.variable}": f"$[[ inputs.{setting.name} ]]" for setting in ON_GITLAB}
    assert JOB["variables"] == expected | {"CI_TOOLKIT_CACHE_POLICY": "pull"}


def test_only_the_default_branch_writes_the_package_cache() -> None:
    """What a merge request fetched is not for others; neither is what a pull request fetched."""
    writing = [rule for rule in JOB["rules"] if rule.get("variables") == {"CI_TOOLKIT_CACHE_POLICY": "pull-push"}]
    assert [rule["if"] for rule in writing] == ["$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"]
    (save,) = (step for step in ACTION["runs"]["steps"] if step.get("uses", "").startswith("actions/cache/save@"))
    assert re.findall(r"event_name == '(\w+)'", save["if"]) == ["push", "schedule", "workflow_dispatch"]


def test_the_script_of_the_job_holds_no_input() -> None:
    assert JOB["script"] == ["ci-toolkit action"]


def test_the_job_keeps_the_dotenv_report_that_the_toolkit_writes() -> None:
    assert JOB["artifacts"]["reports"] == {"dotenv": f"$[[ inputs.output ]]/{DOTENV}"}


def test_the_readme_tells_every_input_with_its_default() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("\n## Inputs\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \| (.+) \|$", section, re.MULTILINE)
    assert rows == [
        (setting.name, f"`{setting.default}`" if setting.default else "–", with_choices(setting, "`"))
        for setting in SETTINGS
    ]
