import io

import pytest

from ci_toolkit.boot import screen
from ci_toolkit.boot.screen import Screen


def shown(*chunks: bytes) -> Screen:
    one = Screen(log=io.BytesIO())
    for chunk in chunks:
        one.feed(chunk)
    return one


@pytest.mark.parametrize(
    ("said", "sign"),
    [
        (b"\r\nDebian GNU/Linux 13 host ttyS0\r\n\r\nhost login: ", "a login prompt"),
        (b"[\x1b[0;32m  OK  \x1b[0m] Reached target \x1b[0;1;39mmulti-user.target\x1b[0m - Multi-User System.\r\n",
         "systemd's target"),
        (b"[  OK  ] Reached target Multi-User System.\n", "systemd's target"),
        (b"[  OK  ] Reached target network.target - Network.\n", None),
        (b"Last login: yesterday\n", None),
    ],
)  # fmt: skip
def test_the_signs_of_a_guest_that_is_up(said: bytes, sign: str | None) -> None:
    assert shown(said).ready == sign
    assert shown(*(said[at : at + 1] for at in range(len(said)))).ready == sign


def test_the_last_line_is_told_without_escapes_and_short() -> None:
    one = shown(b"first of all\n\x1b[1mthe second\x1b[0m line\r\n  \r\n[")
    assert one.last_line == "the second line"
    assert len(shown(b"x" * 100_000).last_line) == 200


def test_a_log_is_cut_and_what_comes_after_it_still_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "LOG_MAX", 10)
    log = io.BytesIO()
    one = Screen(log=log)
    for chunk in (b"123456", b"789012", b"345", b"\nKernel panic - not syncing: {0}\n"):
        one.feed(chunk)
    assert log.getvalue() == b"1234567890\n(what came after this was not kept)\n"
    assert one.broken == "the kernel panicked: {0}"
