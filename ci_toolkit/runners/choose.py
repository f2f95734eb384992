"""Choose where to build: the first runner without an obstacle, or every runner's reasons at once."""

from itertools import takewhile
from typing import Final, cast

from ci_toolkit.errors import HostError
from ci_toolkit.host.capabilities import Capabilities
from ci_toolkit.runners import container, single_id, unprivileged, vm
from ci_toolkit.runners.runner import Runner

# In the order in which `auto` tries them: the quickest and least demanding first.
RUNNERS: Final = (
    cast("Runner", unprivileged),
    cast("Runner", container),
    cast("Runner", vm),
)

# What has to be asked for by name, since its images are others.
ON_REQUEST: Final = (cast("Runner", single_id),)


def choose(capabilities: Capabilities, wanted: str = "auto") -> Runner:
    """Return the runner WANTED, or for "auto" the first of RUNNERS that has no obstacle.

    Raises HostError with every obstacle of every runner considered.
    """
    considered = RUNNERS if wanted == "auto" else [one for one in (*RUNNERS, *ON_REQUEST) if wanted == one.NAME]
    reasons: list[str] = []
    for runner in considered:
        obstacles = runner.obstacles(capabilities)
        if not obstacles:
            return runner
        reasons.extend(f"{runner.NAME}: {obstacle}" for obstacle in obstacles)
    if wanted == "auto":
        reasons.extend(_on_request(capabilities))
    raise HostError(
        "nothing here can run the build\n" + "\n".join(reasons),
        hint="`ci-toolkit doctor` tells what to change for each of them.",
    )


def _on_request(capabilities: Capabilities) -> list[str]:
    """Name the runners that would work, had they been asked for."""
    return [
        f"{runner.NAME}: would work, but is only taken when asked for (--runner {runner.NAME}): {runner.WARNING}"
        for runner in (single_id,)
        if not runner.obstacles(capabilities)
    ]


def passed_over(capabilities: Capabilities, taken: Runner) -> tuple[str, ...]:
    """Return why each runner that `auto` tries before the one TAKEN was not."""
    before = takewhile(lambda runner: runner.NAME != taken.NAME, RUNNERS)
    refused = ((runner.NAME, runner.obstacles(capabilities)) for runner in before)
    return tuple(f"{name}: {'; '.join(obstacles)}" for name, obstacles in refused if obstacles)


def verdicts(
    capabilities: Capabilities, runners: tuple[Runner, ...] = RUNNERS
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the name and the obstacles of each of RUNNERS, in that order, for the doctor."""
    return tuple((runner.NAME, runner.obstacles(capabilities)) for runner in runners)
