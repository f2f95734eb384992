"""Which token is taken."""

import pytest

from ci_toolkit.ci import token
from ci_toolkit.ci.job import Provider

EVERY = {"CI_TOOLKIT_TOKEN": "ours", "GITHUB_TOKEN": "github", "GITLAB_TOKEN": "gitlab", "CI_JOB_TOKEN": "job"}


@pytest.mark.parametrize("provider", list(Provider))
def test_the_setting_goes_first(provider: Provider) -> None:
    assert token.find(provider, EVERY) == "ours"
    assert token.find(provider, {"INPUT_TOKEN": "input", "GITHUB_TOKEN": "github"}) == "input"


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        (Provider.GITHUB, "github"),
        (Provider.GITLAB, "gitlab"),
        (Provider.FORGEJO, "github"),
        (Provider.UNKNOWN, None),
        (Provider.LOCAL, None),
    ],
)
def test_a_token_of_another_forge_is_not_sent_to_this_one(provider: Provider, expected: str | None) -> None:
    assert token.find(provider, {**EVERY, "CI_TOOLKIT_TOKEN": ""}) == expected


def test_a_job_token_is_none_for_comments() -> None:
    assert token.find(Provider.GITLAB, {"CI_JOB_TOKEN": "job"}) is None


def test_blanks_around_a_token_and_empty_tokens_are_none_of_it() -> None:
    assert token.find(Provider.GITHUB, {"CI_TOOLKIT_TOKEN": " \n", "GITHUB_TOKEN": "github\n"}) == "github"
