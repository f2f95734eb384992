"""Which releases go. Decided here, done by publish/prune.py."""

from dataclasses import dataclass
from datetime import date, timedelta

from ci_toolkit.releases.past import Past, ordered
from ci_toolkit.releases.version import order


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is kept: the newest `releases`, those of the last `days`, those with a label, and always the latest.

    A number that is None keeps nothing by itself; where both are None, all is kept.
    """

    releases: int | None = None
    days: int | None = None
    labelled: bool = True

    @property
    def keeps_all(self) -> bool:
        return self.releases is None and self.days is None


def kept_because(past: Past, position: int, policy: Policy, today: date) -> str | None:
    """Return why the POSITION-th newest release (the latest is 0) is kept; None where it is not."""
    if position == 0:
        return "it is the latest"
    if policy.keeps_all:
        return "nothing says what goes"
    if policy.labelled and past.labels:
        return f"it is also called {past.labels[0]}"
    if policy.releases is not None and position < policy.releases:
        return f"it is one of the newest {policy.releases}"
    if policy.days is not None and past.day > today - timedelta(days=policy.days):
        return f"it is of the last {policy.days} days"
    return None


def expired(found: tuple[Past, ...], policy: Policy, today: date) -> tuple[Past, ...]:
    """Return the releases of FOUND that POLICY does not keep, the newest first.

    What stands for the same version as one that is kept stays with it: releases are removed by their versions.
    """
    newest = ordered(found)
    kept = {
        order(past.version)
        for position, past in enumerate(newest)
        if kept_because(past, position, policy, today) is not None
    }
    return tuple(past for past in newest if order(past.version) not in kept)
