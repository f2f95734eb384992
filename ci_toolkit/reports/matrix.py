"""Rows to build, as a matrix for GitHub's jobs or as a child pipeline for GitLab."""

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Final

from ci_toolkit.mkosi.matrix import Row

# Where GitLab finds the job that is run for each row.
TEMPLATE: Final = "https://raw.githubusercontent.com/archlinux/mkosi-action/v1/workflows/gitlab/verify.yml"
# GitHub's hosted machines by mkosi's name of the architecture; the others are emulated on the first.
# https://docs.github.com/en/actions/reference/runners/github-hosted-runners
_MACHINES: Final[Mapping[str, str]] = {"arm64": "ubuntu-24.04-arm"}
_MACHINE: Final = "ubuntu-24.04"


def for_github(rows: Iterable[Row]) -> str:
    """Return ROWS as JSON for `strategy: matrix: ${{ fromJSON(...) }}`, on one line as an output has to be."""
    return json.dumps({"include": [_leg(row) for row in rows]})


def for_gitlab(rows: Iterable[Row], template: str = TEMPLATE) -> str:
    """Return ROWS as a child pipeline of one job each, in JSON, which is YAML as well.

    Each job includes TEMPLATE: an address, or a path that begins with a slash in the project itself.
    """
    place = "local" if template.startswith("/") else "remote"
    jobs = [{place: template, "inputs": _inputs(row)} for row in rows]
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
    inputs = {"job": row.artifact, "directory": row.directory, "output": f"output/{row.artifact}"}
    if row.profile:
        inputs["profile"] = row.profile
    if row.arguments:
        inputs["mkosi-args"] = shlex.join(row.arguments)
    return inputs
