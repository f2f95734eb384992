"""Remove the releases and the artifacts that a policy (releases/retention.py) does not keep."""

from dataclasses import dataclass
from datetime import date

from ci_toolkit.console import Console
from ci_toolkit.publish.artifacts import Artifacts
from ci_toolkit.publish.target import Target
from ci_toolkit.releases import artifacts
from ci_toolkit.releases.artifacts import Artifact
from ci_toolkit.releases.past import Past
from ci_toolkit.releases.retention import Policy, judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a release or an artifact; it goes where there is no reason to keep it."""

    past: Past | Artifact
    kept: str | None

    def __str__(self) -> str:
        name = self.past.version if isinstance(self.past, Past) else str(self.past)
        return f"{name}: {'remove' if self.kept is None else f'keep, {self.kept}'}"


def decide(target: Target, policy: Policy, today: date) -> tuple[Decision, ...]:
    """Return what becomes of each release on TARGET, the newest first."""
    return tuple(Decision(past=past, kept=reason) for past, reason in judged(target.releases(), policy, today))


def prune(target: Target, policy: Policy, today: date, console: Console) -> tuple[Decision, ...]:
    """Remove what POLICY does not keep, the oldest first, and return what became of each."""
    decided = decide(target, policy, today)
    for decision in reversed(decided):
        if decision.kept is None and isinstance(decision.past, Past):
            target.remove(decision.past)
            console.say(f"Removed {decision.past.version} from {target.name}")
    return decided


def prune_artifacts(
    place: Artifacts, policy: Policy, today: date, console: Console, *, dry: bool
) -> tuple[Decision, ...]:
    """Remove the artifacts that POLICY does not keep, the oldest first, and return what became of each.

    Whether its run is over is asked just before an artifact would go, DRY or not. What somebody else has removed
    meanwhile is as it should be.
    """
    decided = []
    for artifact, policys in reversed(artifacts.judged(place.artifacts(), policy, today, place.own_run)):
        kept = place.spared(artifact) if policys is None else policys
        decided.append(Decision(past=artifact, kept=kept))
        if kept is None and not dry and place.remove(artifact):
            console.say(f"Removed {artifact} from {place.name}")
    return tuple(reversed(decided))
