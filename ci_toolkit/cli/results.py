"""The outputs of a step, as the table in settings.py has them: for GitHub's later steps and GitLab's later jobs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci_toolkit import settings
from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.console import Console
from ci_toolkit.errors import ForgeError

if TYPE_CHECKING:
    from ci_toolkit.mkosi.build import Artefact
    from ci_toolkit.reports.report import Report

# GitLab reads it as `artifacts: reports: dotenv:`, which later jobs get as variables.
DOTENV: Final = "ci-toolkit.env"
# CI_TOOLKIT_IMAGE and CI_TOOLKIT_OUTPUT would be settings of the jobs that follow.
PREFIX: Final = "CI_TOOLKIT_RESULT_"


def of_report(report: "Report", output: Path) -> dict[str, str]:
    """Return what later steps may want to know of the builds of REPORT, whose files are in OUTPUT.

    A digest only where the image is one file, a verdict only of two builds.
    """

    def artifact(file: "Artefact") -> dict[str, str | int]:
        return {"path": str(output / file.name), "sha256": file.sha256, "size": file.size}

    build = report.builds[0]
    converted = [{**artifact(file), "format": one.format} for one in report.formats for file in one.files]
    digests = {artefact.name: artefact.sha256 for artefact in build.artefacts}
    values = {
        "image": str(output / build.image),
        "sha256": digests.get(build.image, ""),
        "artifacts": json.dumps([*map(artifact, build.artefacts), *converted]),
        "output": str(output),
        "report-path": str(output / "report.json"),
    }
    if len(report.builds) == 1:
        return values
    same = report.verdict.value == "identical"
    judged = {"verdict": report.verdict.value, "reproducible": "true" if same else "false"}
    return {**judged, **values}


def hand_on(job: Job, values: Mapping[str, str], console: Console) -> None:
    """Set the step's outputs on GitHub and its kin, and leave them in the output for GitLab, where there are any."""
    if values:
        put(job, values, console)
    if job.provider is Provider.GITLAB and "output" in values:
        _leave_dotenv(Path(values["output"]), values, console)


def put(job: Job, values: Mapping[str, str], console: Console) -> None:
    """Set the step's outputs on GitHub and its kin; what keeps that from being done is a warning."""
    from ci_toolkit.forges import outputs

    if job.output_file is None:
        return
    try:
        outputs.put_outputs(job.output_file, values)
    except ForgeError as error:
        console.warn(f"the step's outputs were not set: {error.message}", hint=error.hint)


def _leave_dotenv(output: Path, values: Mapping[str, str], console: Console) -> None:
    """Leave VALUES in OUTPUT for GitLab, those that can be written there; JSON cannot, and stands in the report."""
    from ci_toolkit.forges import outputs

    plain = {row.variable: values[row.name] for row in settings.OUTPUTS if row.name in values and not row.structured}
    output.mkdir(parents=True, exist_ok=True)  # a release that is not due, or only planned, makes none
    for name in outputs.write_dotenv(output / DOTENV, {f"{PREFIX}{name}": value for name, value in plain.items()}):
        console.warn(f"{name} is not in {DOTENV}: its value cannot be written there")
