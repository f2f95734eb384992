"""Remove the releases that a policy (releases/retention.py) does not keep."""

from dataclasses import dataclass
from datetime import date

from ci_toolkit.console import Console
from ci_toolkit.publish.target import Target
from ci_toolkit.releases.past import Past
from ci_toolkit.releases.retention import Policy, judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a release; it goes where there is no reason to keep it."""

    past: Past
    kept: str | None

    def __str__(self) -> str:
        return f"{self.past.version}: {'remove' if self.kept is None else f'keep, {self.kept}'}"


def decide(target: Target, policy: Policy, today: date) -> tuple[Decision, ...]:
    """Return what becomes of each release on TARGET, the newest first."""
    return tuple(Decision(past=past, kept=reason) for past, reason in judged(target.releases(), policy, today))


def prune(target: Target, policy: Policy, today: date, console: Console) -> tuple[Decision, ...]:
    """Remove what POLICY does not keep, the oldest first, and return what became of each."""
    decided = decide(target, policy, today)
    for decision in reversed(decided):
        if decision.kept is None:
            target.remove(decision.past)
            console.say(f"Removed {decision.past.version} from {target.name}")
    return decided
