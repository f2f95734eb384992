from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.releases.artifacts import Artifact, judged
from ci_toolkit.releases.retention import Policy

TODAY = date(2026, 11, 28)
NUMBERS = st.none() | st.integers(1, 6)
POLICIES = st.builds(Policy, releases=NUMBERS, days=st.none() | st.integers(1, 400), labelled=st.booleans())
MOMENTS = st.datetimes(datetime(2025, 9, 1), datetime(2026, 11, 29), timezones=st.just(UTC))  # noqa: DTZ001 (a bound)


@st.composite
def uploads(draw: st.DrawFn) -> tuple[Artifact, ...]:
    one = st.tuples(st.sampled_from("abc"), MOMENTS, st.none() | st.integers(1, 5))
    return tuple(
        Artifact(id=number, name=name, created=created, size=1, run=run)
        for number, (name, created, run) in enumerate(draw(st.lists(one, max_size=30)))
    )


@given(uploads(), POLICIES, st.none() | st.integers(1, 5))
def test_nothing_goes_that_the_policy_keeps(found: tuple[Artifact, ...], policy: Policy, own_run: int | None) -> None:
    """Each promise, counted anew from the list of artifacts."""
    told = judged(found, policy, TODAY, own_run)
    assert {one.id for one, _ in told} == {one.id for one in found}
    gone = [one for one, reason in told if reason is None]
    for one in gone:
        newer = [
            other for other in found if other.name == one.name and (other.created, other.id) > (one.created, one.id)
        ]
        assert len(newer) >= max(1, policy.releases or 1)
        assert policy.days is None or one.created.date() <= TODAY - timedelta(days=policy.days)
        assert one.run is not None
        assert one.run != own_run
    if policy.keeps_all:
        assert gone == []


@given(uploads(), st.integers(1, 6))
def test_what_nothing_keeps_goes(found: tuple[Artifact, ...], number: int) -> None:
    gone = [one for one, reason in judged(found, Policy(releases=number), TODAY, None) if reason is None]
    names = {one.name for one in found}
    of_runs = [one for one in found if one.run is not None]
    kept = sum(min(number, sum(one.name == name for one in found)) for name in names)
    assert len(found) - kept - (len(found) - len(of_runs)) <= len(gone) <= len(found) - kept
