"""What a refusal means."""

import pytest

from ci_toolkit.forges import answers
from ci_toolkit.forges.forge import BusyError, MissingError, RefusedError


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, RefusedError), (403, RefusedError), (404, MissingError), (408, BusyError), (429, BusyError)]
    + [(status, BusyError) for status in (500, 502, 503, 504, 520)],
)
def test_a_status_stands_for_one_kind_of_error(status: int, kind: type[Exception]) -> None:
    assert type(answers.error(status, {}, "no")) is kind


@pytest.mark.parametrize("status", [400, 405, 409, 410, 413, 422])
def test_a_request_that_is_wrong_is_neither_refused_nor_asked_again(status: int) -> None:
    assert not isinstance(answers.error(status, {}, "no"), RefusedError | BusyError)


def test_what_a_forge_says_is_shown_on_one_line_and_not_at_length() -> None:
    error = answers.error(422, {}, "one\ntwo\r\n" + "x" * 5000)
    assert "422: one two xxx" in error.message
    assert "\n" not in error.message
    assert len(error.message) < 300


@pytest.mark.parametrize("value", ["", "soon", "-5", "1e9", "9" * 40, "\N{SUPERSCRIPT TWO}"])
def test_a_time_that_is_none_is_not_waited_for(value: str) -> None:
    error = answers.error(429, {"Retry-After": value}, "")
    assert isinstance(error, BusyError)
    assert error.wait_seconds is None


@pytest.mark.parametrize("date", ["", "yesterday", "Fri, 99 Foo 2027 08:00:00 GMT"])
def test_a_reset_without_a_clock_to_read_it_by_is_not_waited_for(date: str) -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800000050", "Date": date}
    error = answers.error(403, headers, "")
    assert isinstance(error, BusyError)
    assert error.wait_seconds is None


def test_the_cause_of_a_broken_connection_is_named_but_not_quoted() -> None:
    error = answers.unreachable(ConnectionError("http://user:secret@host"))
    assert "ConnectionError" in error.message
    assert "secret" not in error.message
