"""Commands in comments, by the events that GitHub sends."""

import json
from pathlib import Path
from typing import Any

import pytest

from ci_toolkit.ci import remark
from ci_toolkit.ci.remark import Remark

EVENTS = Path(__file__).parents[1] / "fixtures" / "events" / "github"


def event(body: object, name: str = "issue_comment_on_pull_request", **changes: object) -> dict[str, Any]:
    """A recorded event, with BODY for a comment; CHANGES are of the comment."""
    found: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    found["comment"] |= {"body": body, **changes}
    return found


@pytest.mark.parametrize(
    "body",
    [
        "/ci-toolkit verify",
        "/ci-toolkit verify\r\nPlease.",
        "/ci-toolkit\tverify \n\n/ci-toolkit other",
        "/ci-toolkit   verify",
    ],
)
def test_the_first_line_of_a_new_comment_is_a_command(body: str) -> None:
    assert remark.read(event(body)) == Remark(comment=1001, change=42, author="levente", word="verify")


@pytest.mark.parametrize(
    "body",
    [
        "/ci-toolkit",
        "/ci-toolkit Verify",
        "/ci-toolkit verify now",
        "/ci-toolkit verify --runner=root",
        "/ci-toolkit $(id)",
        "/ci-toolkit verify\x00",
        "/ci-toolkit \nverify",
        "/ci-toolkit build",
    ],
)
def test_another_word_is_a_command_that_nobody_knows(body: str) -> None:
    found = remark.read(event(body))
    assert found is not None
    assert found.word is None


@pytest.mark.parametrize(
    "body",
    [
        "",
        "/verify",
        " /ci-toolkit verify",
        "> /ci-toolkit verify",
        "Try\n/ci-toolkit verify",
        "/ci-toolkits verify",
        None,
        7,
    ],
)
def test_what_does_not_begin_with_our_name_is_none(body: object) -> None:
    assert remark.read(event(body)) is None


def test_other_events_hold_no_command() -> None:
    body = "/ci-toolkit verify"
    assert remark.read({}) is None
    assert remark.read(event(body, "issue_comment_on_issue")) is None
    assert remark.read(event(body) | {"action": "edited"}) is None
    assert remark.read(event(body) | {"issue": []}) is None
    assert remark.read(event(body, id=-1)) is None
    for login in ("", "github-actions[bot]", "../../x", "a/b", "a" * 200, None):
        assert remark.read(event(body, user={"login": login})) is None
    assert remark.read(event(body, user=None)) is None
