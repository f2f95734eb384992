"""What the rules may know of two builds."""

from dataclasses import replace

from ci_toolkit.compare.facts import Facts, Leak
from ci_toolkit.host.environment import NORMAL, VARIED


def test_without_surroundings_nothing_is_known_to_leak() -> None:
    for facts in (Facts(), Facts(first=NORMAL), Facts(second=VARIED)):
        assert facts.leaks == ()
        assert facts.umasks is None


def test_every_text_of_the_surroundings_that_varied_may_leak_the_most_specific_first() -> None:
    leaks = Facts(first=NORMAL, second=VARIED).leaks
    assert [leak.name for leak in leaks] == ["build-path", "home", "hostname", "locale", "zone"]
    assert leaks[0] == Leak(name="build-path", first=NORMAL.build_path, second=VARIED.build_path)


def test_what_is_the_same_or_empty_on_a_side_cannot_leak() -> None:
    assert Facts(first=NORMAL, second=NORMAL).leaks == ()
    second = replace(NORMAL, hostname="", zone="Pacific/Chatham")
    assert [leak.name for leak in Facts(first=NORMAL, second=second).leaks] == ["zone"]


def test_the_umasks_are_those_of_both_builds() -> None:
    assert Facts(first=NORMAL, second=replace(VARIED, umask=0o077)).umasks == (0o022, 0o077)
