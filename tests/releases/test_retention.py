from datetime import date, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from ci_toolkit.releases import version
from ci_toolkit.releases.past import Past
from ci_toolkit.releases.retention import Policy, expired, judged, kept_because

TODAY = date(2026, 11, 28)
NUMBERS = st.none() | st.integers(1, 20)
POLICIES = st.builds(Policy, releases=NUMBERS, days=st.none() | st.integers(1, 900), labelled=st.booleans())


@st.composite
def pasts(draw: st.DrawFn) -> tuple[Past, ...]:
    days = draw(st.lists(st.dates(date(2024, 1, 1), date(2027, 6, 1)), max_size=30))
    runs = draw(st.permutations(range(len(days))))
    return tuple(
        Past(
            version=version.make(draw(st.sampled_from(version.SCHEMES)), day, run),
            labels=draw(st.sampled_from([(), ("LTS",)])),
        )
        for day, run in zip(days, runs, strict=True)
    )


@given(pasts(), POLICIES)
@example((Past(version="2024.01.01"),) * 2, Policy(days=1))
@example(
    (Past(version="2024.01.01"), Past(version="2025.01.01"), Past(version="2025.01.01", labels=("LTS",))),
    Policy(releases=1, labelled=False),
)
def test_nothing_goes_that_the_policy_keeps(found: tuple[Past, ...], policy: Policy) -> None:
    """Each promise of the policy, counted anew from the list of releases."""
    gone = set(expired(found, policy, TODAY))
    kept = [past for past in found if past not in gone]
    if found:
        newest = max(version.order(past.version) for past in found)
        assert any(version.order(past.version) == newest for past in kept)
    if policy.releases is not None:
        assert len(kept) >= min(policy.releases, len(found))
        assert all(
            sum(version.order(other.version) > version.order(past.version) for other in found) >= policy.releases
            for past in gone
        )
    if policy.days is not None:
        assert all(past.day <= TODAY - timedelta(days=policy.days) for past in gone)
    if policy.labelled:
        assert not any(past.labels for past in gone)
    if policy.keeps_all:
        assert not gone


@given(pasts(), POLICIES)
def test_what_is_left_stays_left(found: tuple[Past, ...], policy: Policy) -> None:
    gone = set(expired(found, policy, TODAY))
    left = tuple(past for past in found if past not in gone)
    assert expired(left, policy, TODAY) == ()


def test_three_of_five_are_kept_and_a_labelled_one() -> None:
    days = [TODAY - timedelta(days=14 * number) for number in range(5)]
    found = tuple(
        Past(version=version.make("YYYY.MM.DD", day, 0), labels=("LTS",) if number == 4 else ())
        for number, day in enumerate(days)
    )
    assert [past.day for past in expired(found, Policy(releases=3), TODAY)] == [days[3]]


def test_each_is_told_why_it_stays() -> None:
    past = Past(version="2026.11.01")
    assert kept_because(past, 0, Policy(releases=1), TODAY) == "it is the latest"
    assert kept_because(past, 1, Policy(releases=2), TODAY) == "it is one of the newest 2"
    assert kept_because(past, 1, Policy(days=28), TODAY) == "it is of the last 28 days"
    assert kept_because(past, 1, Policy(days=27), TODAY) is None


def test_what_is_called_twice_stays_for_the_one_that_is_kept() -> None:
    """What removes releases acts on this very list, and by versions."""
    found = (Past(version="2025.01.01"), Past(version="2025.01.01", labels=("LTS",)), Past(version="2024.01.01"))
    reasons = [reason for _, reason in judged(found, Policy(releases=1, labelled=False), TODAY)]
    assert reasons == ["it is the latest", "another one of its version is kept", None]
