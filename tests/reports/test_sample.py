import pytest
from bench import changed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_toolkit.compare.difference import Content, Difference, Field
from ci_toolkit.reports import sample

# Nothing here is about time, and machines are slow at times.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=400)


def cut_off(text: bytes, size: int) -> Content:
    return Content(size=size, sha256="0" * 64, head=text)


def lines(before: bytes | str, after: bytes | str, *path: str) -> tuple[str, str] | None:
    first, second = (one.encode() if isinstance(one, str) else one for one in (before, after))
    return sample.lines(changed(path or ("etc/motd",), first, second))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("one\ntwo\n", "one\n2\n", ("two", "2")),
        ("one\n", "one\ntwo\n", ("", "two")),
        ("one\r\ntwo", "one\r\nTwo", ("two", "Two")),
        ("", "one", ("", "one")),
        ("Grüße\n", "Grusse\n", ("Grüße", "Grusse")),
    ],
)
def test_the_first_line_that_differs_is_shown(before: str, after: str, expected: tuple[str, str]) -> None:
    assert lines(before, after) == expected


def test_lines_that_differ_only_in_how_they_end_are_not_shown() -> None:
    assert lines("one\r\n", "one\n") is None


@pytest.mark.parametrize("data", [b"\x7fELF\0\1", b"caf\xe9 au lait", b"\xff\xfe"])
def test_what_is_no_text_is_not_shown(data: bytes) -> None:
    assert lines(data, b"text") is None
    assert lines(b"text", data) is None


def test_a_property_that_is_no_content_has_no_lines() -> None:
    mode = Difference(path=("a",), field=Field.MODE, container="ext4", before=0o644, after=0o600)
    assert sample.lines(mode) is None


def test_a_character_that_the_kept_head_cuts_in_two_does_not_matter() -> None:
    head = "é".encode()[:1]
    difference = changed(("a",), b"1", b"2")
    cut = Difference(
        path=difference.path,
        field=difference.field,
        container=difference.container,
        before=cut_off(b"one " + head, 9),
        after=cut_off(b"two " + head, 9),
    )
    assert sample.lines(cut) == ("one ", "two ")
    assert lines(b"one " + head, b"two " + head) is None


@pytest.mark.parametrize(
    "path",
    [
        ("2:root", "etc/shadow"),
        ("2:root", "etc/gshadow-"),
        ("1:esp", "linux.efi", ".initrd", "etc/credstore/passwd.hashed-password.root"),
        ("etc/ssh/ssh_host_ed25519_key",),
        ("etc/ssl/private/server.crt",),
        ("srv/app.pem",),
        ("etc/keys/a",),
        ("secrets.tar", "a"),
        ("var/lib/systemd/random-seed",),
    ],
    ids="/".join,
)
def test_what_lies_where_secrets_lie_is_not_shown(path: tuple[str, ...]) -> None:
    assert lines("one", "two", *path) is None


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "password = hunter2",
        "API_TOKEN=abc",
        "client_secret: x",
        "root:$6$salt$hash:1::::::",
        "root:$y$j9T$salt$hash:1::::::",
    ],
)
def test_what_looks_like_a_secret_is_not_shown(text: str) -> None:
    assert lines(text, "plain") is None
    assert lines("plain", text) is None


def test_a_long_line_is_shown_around_what_differs() -> None:
    found = lines("a" * 1_000 + "X" + "b" * 1_000, "a" * 1_000 + "Y" + "b" * 1_000)
    assert found is not None
    for shown, letter in zip(found, "XY", strict=True):
        assert len(shown) == sample.LIMIT_CHARACTERS
        assert shown.startswith("…aaa")
        assert letter in shown
        assert shown.endswith("bbb…")


@RELAXED
@given(TEXTS, TEXTS)
def test_lines_are_short_and_are_not_alike(before: str, after: str) -> None:
    found = lines(before, after) if before != after else None
    if found is not None:
        assert found[0] != found[1]
        assert all(len(shown) <= sample.LIMIT_CHARACTERS and len(shown.splitlines()) <= 1 for shown in found)
