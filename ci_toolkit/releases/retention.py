"""Which releases go. Decided here, done by publish/prune.py."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

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


class Dated(Protocol):
    """What a policy judges: something of a day, and what people call it besides."""

    @property
    def day(self) -> date: ...

    @property
    def labels(self) -> tuple[str, ...]: ...


def kept_because(past: Dated, position: int, policy: Policy, today: date) -> str | None:
    """Return why PAST, the POSITION-th newest of its kind (the latest is 0), is kept; None where it is not."""
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


def judged(found: tuple[Past, ...], policy: Policy, today: date) -> tuple[tuple[Past, str | None], ...]:
    """Return each release of FOUND, the newest first, and why POLICY keeps it; None where it does not.

    What stands for the same version as one that is kept stays with it: releases are removed by their versions.
    """
    newest = ordered(found)
    reasons = [kept_because(past, position, policy, today) for position, past in enumerate(newest)]
    kept = {order(past.version) for past, reason in zip(newest, reasons, strict=True) if reason is not None}
    return tuple(
        (past, "another one of its version is kept" if reason is None and order(past.version) in kept else reason)
        for past, reason in zip(newest, reasons, strict=True)
    )


def expired(found: tuple[Past, ...], policy: Policy, today: date) -> tuple[Past, ...]:
    """Return the releases of FOUND that POLICY does not keep, the newest first."""
    return tuple(past for past, reason in judged(found, policy, today) if reason is None)
