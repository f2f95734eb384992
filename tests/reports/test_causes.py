"""Causes as lines, in full, as JSON and as a page."""

import json

from markdown_it import MarkdownIt

from ci_toolkit.compare.rules.catalogue import CATALOGUE
from ci_toolkit.compare.rules.rule import Follows
from ci_toolkit.compare.rules.table import RULES
from ci_toolkit.reports import causes


def test_all_are_in_the_order_in_which_to_read_them_and_one_is_found_by_its_name() -> None:
    phases = [rule.phase for rule in causes.chosen(None)]
    assert phases == sorted(phases)
    assert len(phases) == len(RULES)
    (one,) = causes.chosen("machine-id")
    assert one.cause.identifier == "machine-id"
    assert causes.chosen("no such cause") == ()


def test_a_line_has_the_name_and_the_title() -> None:
    for rule, line in zip(RULES, causes.lines(RULES).splitlines(), strict=True):
        assert line.split()[0] == rule.cause.identifier
        assert line.endswith(f" {rule.cause.title}")


def test_one_is_told_with_its_fix_and_source() -> None:
    (rule,) = causes.chosen("machine-id")
    text = causes.told(rule)
    for part in (rule.cause.title, rule.cause.explanation, "  RemoveFiles=/etc/machine-id", rule.cause.source):
        assert part in text
    (derived,) = causes.chosen("container")
    assert "Fix:" not in causes.told(derived)
    assert "follows from" in causes.told(derived)


def test_json_has_all_that_is_known() -> None:
    told = json.loads(causes.to_json(RULES))
    assert told["schema"] == 1
    for rule, record in zip(RULES, told["causes"], strict=True):
        assert record["identifier"] == rule.cause.identifier
        assert record["fix"] == rule.cause.fix
        assert record["fields"] == [field.value for field in rule.fields]
    rows = {number for record in told["causes"] for number in record["catalogue"]}
    assert rows == {row.number for row in CATALOGUE if row.causes}


def test_the_page_has_a_heading_for_each_and_their_fixes_as_code() -> None:
    tokens = MarkdownIt().parse(causes.to_markdown(RULES))
    headings = [
        tokens[place + 1].content.strip("`")
        for place, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag == "h3"
    ]
    assert sorted(headings) == sorted(rule.cause.identifier for rule in RULES)
    code = {token.content.rstrip("\n") for token in tokens if token.type == "fence"}
    fixes = {rule.cause.fix for rule in RULES if rule.cause.fix.startswith(("[", "# in "))}
    assert code == fixes
    assert {rule.follows for rule in RULES} == set(Follows)
