"""Read what a CI system says: numbers, commits, names and addresses that are what they claim to be, else None."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SLUG: Final = re.compile(r"[A-Za-z0-9_.-]{1,255}/[A-Za-z0-9_.-]{1,255}")
_FETCHED: Final = re.compile(r"(?:(?:https?|ssh)://[^/\s]+/|[^/:\s]+@[^/:\s]+:)([^/:\s]+/[^/:\s]+?)(?:\.git)?/?")
_FETCHED_CHARACTERS: Final = 1000
_ADDRESS: Final = re.compile(r"https?://[!-~]+", re.IGNORECASE)
# https://git-scm.com/docs/git-check-ref-format
_NOT_IN_BRANCHES: Final = frozenset(" ~^:?*[\\")
_BRANCH_CHARACTERS: Final = 255
_NOT_IN_ADDRESSES: Final = frozenset("\"'<>\\^`{|}()[]*")


def number(value: object) -> int | None:
    """Return VALUE as a positive whole number below 10^18."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value)
    return int(text) if _NUMBER.fullmatch(text) else None


def commit(value: object) -> str | None:
    """Return VALUE if it is a whole SHA-1 or SHA-256 commit name."""
    return value if isinstance(value, str) and _COMMIT.fullmatch(value) else None


def branch(value: object) -> str | None:
    """Return VALUE if git may have it as the name of a branch, roughly: without blanks and control characters."""
    if not isinstance(value, str) or not 0 < len(value) <= _BRANCH_CHARACTERS:
        return None
    return value if value.isprintable() and not set(value) & _NOT_IN_BRANCHES else None


def slug(value: object) -> str | None:
    """Return VALUE if it reads as owner/name."""
    if not isinstance(value, str) or not _SLUG.fullmatch(value):
        return None
    return None if {".", ".."} & set(value.split("/")) else value


def repository(value: object) -> str | None:
    """Return "owner/name" of VALUE, which is that or the address that git fetches from, by https or by ssh."""
    if (found := slug(value)) is not None or not isinstance(value, str) or len(value) > _FETCHED_CHARACTERS:
        return found
    match = _FETCHED.fullmatch(value)
    return slug(match[1]) if match else None


def address(value: object) -> str | None:
    """Return VALUE, without a slash at its end, if it is an http(s) address that carries no password and no query."""
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value) or _NOT_IN_ADDRESSES & set(value):
        return None
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return None
    if not parts.hostname or parts.username is not None or parts.query or parts.fragment:
        return None
    return value.rstrip("/")


def text(environ: Mapping[str, str], *names: str) -> str | None:
    """Return the first of NAMES that is set and not empty."""
    return next((environ[name] for name in names if environ.get(name)), None)
