"""What is not shown to everybody who reads a report."""

import pytest
from bench import run

from ci_toolkit.compare import secrets


@pytest.mark.parametrize(
    "path",
    [
        ("2:root", "etc/shadow"),
        ("1:esp", "a.efi", ".initrd", "etc/shadow-"),
        ("2:root", "usr/lib/credstore/passwd.hashed-password.root"),
        ("2:root", "etc/ssh/ssh_host_ed25519_key"),
        ("2:root", "etc/ssl/private/site.pem"),
        ("var/lib/systemd/random-seed",),
        ("root/.gnupg/pubring.kbx",),
    ],
    ids=str,
)
def test_places_of_secrets(path: tuple[str, ...]) -> None:
    assert secrets.may_be_at(path)


@pytest.mark.parametrize(
    "path", [("2:root", "etc/hostname"), ("usr/share/keyboard.map",), ("monkey.txt",), ()], ids=str
)
def test_other_places(path: tuple[str, ...]) -> None:
    assert not secrets.may_be_at(path)


def test_what_programs_make_for_secrets() -> None:
    assert secrets.may_be_in(run("openssl", "genrsa", "2048").decode())
    assert secrets.may_be_in(run("openssl", "passwd", "-6", "word").decode())
    assert secrets.may_be_in(run("mkpasswd", "-m", "yescrypt", "word").decode())


def test_other_texts() -> None:
    assert not secrets.may_be_in("built at 07:13:04 UTC by image-builder")
    assert not secrets.may_be_in("")
