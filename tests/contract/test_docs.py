"""The examples in README.md and docs/: what people copy has to be what the files take."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ci_toolkit.mkosi.matrix import Row
from ci_toolkit.reports import matrix

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "docs/github.md", ROOT / "docs/gitlab.md")
ACTION: Mapping[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
CALLED: Mapping[Any, Any] = yaml.safe_load((ROOT / ".github/workflows/image.yml").read_text(encoding="utf-8"))


def blocks(kind: str) -> Iterator[str]:
    for page in PAGES:
        yield from re.findall(rf"^```{kind}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def inside(value: object) -> Iterator[Mapping[str, Any]]:
    """Every mapping in VALUE."""
    if isinstance(value, dict):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from inside(one)


MAPPINGS = [one for text in blocks("yaml") for one in inside(yaml.safe_load(text))]


def inputs_of_template(name: str) -> set[str]:
    header = next(iter(yaml.safe_load_all((ROOT / name).read_text(encoding="utf-8"))))
    return set(header["spec"]["inputs"])


def test_what_the_examples_hand_to_the_action_are_inputs_of_it() -> None:
    calls = [one for one in MAPPINGS if str(one.get("uses", "")).startswith("archlinux/mkosi-action@")]
    assert calls
    assert [call["with"] for call in calls if set(call.get("with", {})) - set(ACTION["inputs"])] == []


def test_what_the_examples_hand_to_the_reusable_workflow_are_inputs_of_it() -> None:
    path = "archlinux/mkosi-action/.github/workflows/image.yml@v1"
    calls = [one for one in MAPPINGS if one.get("uses") == path]
    assert calls
    assert [call for call in calls if set(call["with"]) - set(CALLED[True]["workflow_call"]["inputs"])] == []


def test_what_the_examples_include_is_there_and_takes_the_inputs() -> None:
    included = []
    for one in MAPPINGS:
        if found := re.search(r"mkosi-action/(\w+)@1$", str(one.get("component", ""))):
            included.append((f"templates/{found[1]}.yml", one))
        elif found := re.search(r"mkosi-action/v1/(.+)$", str(one.get("remote", ""))):
            included.append((found[1], one))
    assert {name for name, _ in included} >= {
        "templates/verify.yml",
        "templates/report.yml",
        "templates/release.yml",
        "workflows/gitlab/verify.yml",
    }
    assert [name for name, one in included if set(one.get("inputs", {})) - inputs_of_template(name)] == []


def test_the_lines_for_a_runner_are_toml_and_give_no_privilege() -> None:
    tables = [tomllib.loads(text)["runners"][0]["docker"] for text in blocks("toml")]
    assert len(tables) == 3
    assert {name for table in tables for name in table} == {"security_opt", "volumes", "devices"}


@pytest.mark.parametrize("text", tuple(blocks("json")))
def test_the_matrix_that_is_shown_is_one_that_is_made(text: str) -> None:
    row = Row(
        name="debian (server)",
        artifact="images-debian-server-x86-64",
        directory="images/debian",
        profile="server",
        architecture="x86-64",
        arguments=(),
    )
    assert json.loads(text) == json.loads(matrix.for_github((row,)))


def test_every_file_that_the_pages_name_is_there() -> None:
    named = {
        name
        for page in PAGES
        for name in re.findall(
            r"`((?:workflows|templates|docs|examples|\.github)/[\w./-]+\.\w+)`", page.read_text("utf-8")
        )
    }
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []
