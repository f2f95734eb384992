"""Rows to build, as a matrix for GitHub's jobs or as a child pipeline for GitLab."""

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Final

from ci_toolkit.mkosi.matrix import Row

# Where GitLab finds the job that is run for each row, and the one that puts all reports on the merge request.
TEMPLATES: Final = "https://raw.githubusercontent.com/archlinux/mkosi-action/v1/templates"
# Of more jobs than that GitLab lets none take the reports; then each has a note of its own.
# https://docs.gitlab.com/ci/yaml/#needs
_NEEDS_LIMIT: Final = 50
# GitHub's hosted machines by mkosi's name of the architecture; the others are emulated on the first.
# https://docs.github.com/en/actions/reference/runners/github-hosted-runners
_MACHINES: Final[Mapping[str, str]] = {"arm64": "ubuntu-24.04-arm"}
_MACHINE: Final = "ubuntu-24.04"
_OUTPUT: Final = "output"


def for_github(rows: Iterable[Row]) -> str:
    """Return ROWS as JSON for `strategy: matrix: ${{ fromJSON(...) }}`, on one line as an output has to be."""
    return json.dumps({"include": [_leg(row) for row in rows]})


def for_gitlab(rows: Iterable[Row], templates: str = TEMPLATES) -> str:
    """Return ROWS as a child pipeline: a job for each, and one that puts all reports into one note.

    It is JSON, which is YAML as well. The jobs are those of verify.yml and report.yml in TEMPLATES: an address, or a
    path that begins with a slash in the project itself.
    """
    place = "local" if templates.startswith("/") else "remote"
    listed = [_inputs(row) for row in rows]
    joined = 0 < len(listed) <= _NEEDS_LIMIT
    if joined:
        listed = [inputs | {"comment": "false", "status": "false"} for inputs in listed]
    jobs: list[dict[str, object]] = [{place: f"{templates}/verify.yml", "inputs": inputs} for inputs in listed]
    if joined:
        needs = [inputs["job"] for inputs in listed]
        jobs.append({place: f"{templates}/report.yml", "inputs": {"needs": needs, "report": _OUTPUT}})
    return json.dumps({"include": jobs}, indent=2) + "\n"


def lines(rows: Iterable[Row]) -> str:
    """Return ROWS for people, a line each."""
    return "".join(f"{row.artifact}  {row.directory}  {row.profile or '-'}  {row.architecture}\n" for row in rows)


def _leg(row: Row) -> dict[str, str]:
    return {
        "name": row.name,
        "artifact": row.artifact,
        "directory": row.directory,
        "profile": row.profile,
        "architecture": row.architecture,
        "runs-on": _MACHINES.get(row.architecture, _MACHINE),
        "mkosi-args": shlex.join(row.arguments),
    }


def _inputs(row: Row) -> dict[str, str]:
    """The inputs of one job: each has an output of its own, so that a job that takes all of them finds all."""
    inputs = {"job": row.artifact, "directory": row.directory, "output": f"{_OUTPUT}/{row.artifact}"}
    if row.profile:
        inputs["profile"] = row.profile
    if row.arguments:
        inputs["mkosi-args"] = shlex.join(row.arguments)
    return inputs
