"""A command in a comment on a pull request, as GitHub's event tells of it: issue_comment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ci_toolkit.ci import variables

# What somebody who may write can ask for.
WORDS: Final = ("verify",)

_BEGINNING: Final = re.compile(r"/ci-toolkit(?![^ \t\r])")
_COMMAND: Final = re.compile(r"/ci-toolkit[ \t]+([a-z]{1,20})[ \t\r]*")
# https://docs.github.com/en/enterprise-cloud@latest/admin/managing-iam/iam-configuration-reference/username-considerations-for-external-authentication
_LOGIN: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Who asked for what in which comment of which pull request; `word` is None for what is none of WORDS."""

    comment: int
    change: int
    author: str
    word: str | None


def read(event: Mapping[str, object]) -> Remark | None:
    """Return the command that EVENT is of; None for any other event, and for a comment that is no command.

    Only the first line of a comment is read, and only when it is written, not when it is changed.
    """
    issue, comment = event.get("issue"), event.get("comment")
    if event.get("action") != "created" or not isinstance(issue, dict) or not isinstance(comment, dict):
        return None
    user, body = comment.get("user"), comment.get("body")
    if not isinstance(issue.get("pull_request"), dict) or not isinstance(user, dict) or not isinstance(body, str):
        return None
    line = body.partition("\n")[0]
    number, change, author = (
        variables.number(comment.get("id")),
        variables.number(issue.get("number")),
        user.get("login"),
    )
    if number is None or change is None or not isinstance(author, str) or not _LOGIN.fullmatch(author):
        return None
    if not _BEGINNING.match(line):
        return None
    found = _COMMAND.fullmatch(line)
    word = found[1] if found is not None and found[1] in WORDS else None
    return Remark(comment=number, change=change, author=author, word=word)
