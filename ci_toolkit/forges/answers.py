"""What a forge's refusal means: from a status, headers and a message to one of our errors."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from ci_toolkit.errors import ForgeError
from ci_toolkit.forges.forge import BusyError, MissingError, RefusedError

# Where a limit names no time GitHub asks for at least a minute, then for more.
# https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
UNNAMED_LIMIT_SECONDS: Final = 60.0
_SHOWN_CHARACTERS: Final = 200

_HINTS: Final[Mapping[int, str]] = {
    401: "The token is wrong or has expired.",
    403: "The job needs `permissions: pull-requests: write` on GitHub; a token with the scope api on GitLab.",
    404: "Either it is gone, or the token may not see it.",
}


def error(status: int, headers: Mapping[str, str], message: str) -> ForgeError:
    """Return the error that an answer of STATUS (400 and more) stands for.

    A 403 is a rate limit only if it says so, by a header or in its message; every other 403 is about permissions.
    """
    known = {name.lower(): value for name, value in headers.items()}
    said = f"{status}: {' '.join(message.split())[:_SHOWN_CHARACTERS]}"
    if status == 429 or (status == 403 and _is_limit(known, message)):
        return BusyError(
            f"the forge's rate limit is reached ({said})",
            wait_seconds=_limit_seconds(known),
            first_seconds=UNNAMED_LIMIT_SECONDS,
        )
    if status >= 500 or status == 408:
        return BusyError(f"the forge failed ({said})", wait_seconds=_number(known.get("retry-after")))
    if status == 404:
        return MissingError(f"the forge does not find it ({said})", hint=_HINTS[status])
    if status in (401, 403):
        return RefusedError(f"the forge does not permit it ({said})", hint=_HINTS[status])
    return ForgeError(f"the forge rejects it ({said})")


def unreachable(cause: BaseException) -> BusyError:
    """Return the error for a connection that broke or never was; the cause's own text may hold headers."""
    return BusyError(
        f"the forge cannot be reached ({type(cause).__name__})", hint="Is its address right, and the proxy?"
    )


def _is_limit(headers: Mapping[str, str], message: str) -> bool:
    return (
        "retry-after" in headers
        or headers.get("x-ratelimit-remaining", "").strip() == "0"
        or "rate limit" in message.lower()
    )


def _limit_seconds(headers: Mapping[str, str]) -> float | None:
    """Retry-After goes first, then the time of the reset, read by the forge's clock and not by ours."""
    if (seconds := _number(headers.get("retry-after"))) is not None:
        return seconds
    remaining = headers.get("x-ratelimit-remaining", headers.get("ratelimit-remaining", "")).strip()
    reset = _number(headers.get("x-ratelimit-reset", headers.get("ratelimit-reset")))
    now = _date(headers.get("date"))
    if remaining == "0" and reset is not None and now is not None:
        return max(reset - now, 1.0)
    return None


def _number(value: str | None) -> float | None:
    text = (value or "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _date(value: str | None) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp() if value else None
    except (ValueError, OverflowError):
        return None
