"""Whatever the real programs made, the rules that name their places recognise nothing elsewhere."""

import pytest

from ci_toolkit.compare import explain
from ci_toolkit.compare.difference import Difference
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.rules.rule import Rule
from ci_toolkit.compare.rules.table import RULES


@pytest.fixture(autouse=True)
def _all_rules_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold the rule that is found by places against the first of all that recognises a difference."""
    quick = explain._rule

    def checked(difference: Difference, facts: Facts) -> Rule | None:
        asked = (rule for rule in RULES if difference.field in rule.fields)
        found = quick(difference, facts)
        assert found is next((rule for rule in asked if rule.recognise(difference, facts)), None)
        return found

    monkeypatch.setattr(explain, "_rule", checked)
