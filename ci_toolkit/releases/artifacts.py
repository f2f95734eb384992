"""Which artifacts of a CI go: those of each name are judged by themselves, by the policy that releases have."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime

from ci_toolkit.console import printable
from ci_toolkit.releases.retention import Policy, kept_because


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """What a run has uploaded under a name; `created` has a time zone, `size` is in bytes.

    `run` is the id of the run, None where nothing tells it: a name says little, as every run uploads under the same.
    """

    id: int
    name: str
    created: datetime
    size: int
    run: int | None

    @property
    def day(self) -> date:
        return self.created.astimezone(UTC).date()

    @property
    def labels(self) -> tuple[str, ...]:
        return ()  # nobody gives an artifact another name

    def __str__(self) -> str:
        return f"{printable(self.name)} of {self.day} (run {self.run or 'unknown'}, {self.size:,} bytes)"


def judged(
    found: tuple[Artifact, ...], policy: Policy, today: date, own_run: int | None
) -> tuple[tuple[Artifact, str | None], ...]:
    """Return each artifact of FOUND, the newest first, and why POLICY keeps it; None where it does not.

    What the run OWN_RUN, which asks, has uploaded itself stays. What other runs that are still going on have is for
    the caller to find out: only of those that would go that has to be asked.
    """
    positions: dict[str, int] = defaultdict(int)
    decided = []
    for artifact in sorted(found, key=lambda one: (one.created, one.id), reverse=True):
        reason = kept_because(artifact, positions[artifact.name], policy, today)
        positions[artifact.name] += 1
        if reason is None and artifact.run is None:
            reason = "nothing tells of which run it is"
        if reason is None and artifact.run == own_run:
            reason = "it is of this very run"
        decided.append((artifact, reason))
    return tuple(decided)
