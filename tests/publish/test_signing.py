"""Signatures, made and judged by gpg with keys of its own."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_toolkit.errors import ForgeError, UsageError
from ci_toolkit.publish import signing
from ci_toolkit.publish.signing import Key

pytestmark = pytest.mark.slow

PASSPHRASE = "correct horse"


def gpg(home: Path, *arguments: str) -> str:
    argv = ("gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback", *arguments)
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of somebody who has a key with a passphrase, and one without."""
    place = Path(f"/tmp/{os.getpid()}-gpg")  # the name of the agent's socket has to be short
    place.mkdir(mode=0o700)
    try:
        for name, passphrase in (("Images <images@example.org>", PASSPHRASE), ("Plain <plain@example.org>", "")):
            gpg(place, "--passphrase", passphrase, "--quick-generate-key", name, "ed25519", "sign", "never")
        yield place
    finally:
        subprocess.run(("gpgconf", "--homedir", place, "--kill", "all"), check=False)
        subprocess.run(("rm", "-rf", place), check=True)


def key_of(home: Path, name: str, passphrase: str) -> str:
    return gpg(home, "--passphrase", passphrase, "--armor", "--export-secret-keys", name)


def homes_left() -> list[Path]:
    return list(Path("/dev/shm").glob("ci-toolkit-gpg-*"))


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "SHA256SUMS"
    path.write_text("abc  image.raw\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "passphrase"), [("images@example.org", PASSPHRASE), ("plain@example.org", "")])
def test_gpg_verifies_what_was_signed(home: Path, listed: Path, name: str, passphrase: str) -> None:
    key = Key(armoured=key_of(home, name, passphrase), passphrase=passphrase)
    target = listed.with_name("SHA256SUMS.asc")
    fingerprint = signing.sign(listed, target, key)
    said = gpg(home, "--status-fd", "1", "--verify", str(target), str(listed))
    assert f"VALIDSIG {fingerprint}" in said
    assert target.read_text(encoding="ascii").startswith("-----BEGIN PGP SIGNATURE-----")


def test_a_file_that_has_changed_does_not_verify(home: Path, listed: Path) -> None:
    key = Key(armoured=key_of(home, "plain@example.org", ""))
    target = listed.with_name("SHA256SUMS.asc")
    signing.sign(listed, target, key)
    listed.write_text("abd  image.raw\n", encoding="utf-8")
    public = gpg(home, "--armor", "--export", "plain@example.org")
    with pytest.raises(ForgeError, match="not good"):
        signing.verify(listed, target.read_text(encoding="ascii"), public)


def test_a_signature_of_another_key_does_not_verify(home: Path, listed: Path) -> None:
    target = listed.with_name("SHA256SUMS.asc")
    signing.sign(listed, target, Key(armoured=key_of(home, "plain@example.org", "")))
    public = gpg(home, "--armor", "--export", "images@example.org")
    with pytest.raises(ForgeError, match="not good"):
        signing.verify(listed, target.read_text(encoding="ascii"), public)


def test_a_wrong_passphrase_is_told_without_the_right_one(home: Path, listed: Path) -> None:
    key = Key(armoured=key_of(home, "images@example.org", PASSPHRASE), passphrase="wrong staple")
    with pytest.raises(UsageError, match="gpg does not sign") as caught:
        signing.sign(listed, listed.with_name("SHA256SUMS.asc"), key)
    assert "wrong staple" not in f"{caught.value.message}{caught.value.hint}"
    assert not listed.with_name("SHA256SUMS.asc").exists()


def test_nothing_of_the_key_is_left(home: Path, listed: Path) -> None:
    before = set(homes_left())
    armoured = key_of(home, "plain@example.org", "")
    signing.sign(listed, listed.with_name("SHA256SUMS.asc"), Key(armoured=armoured))
    assert set(homes_left()) <= before
    body = armoured.splitlines()[3]
    assert [path for path in listed.parent.iterdir() if body in path.read_text(encoding="utf-8")] == []


def test_what_a_run_left_that_was_killed_goes_with_the_next_one(home: Path, listed: Path) -> None:
    """It lies in memory, and nobody holds its lock; one that is young may only be about to take it."""
    old, young = Path("/dev/shm/ci-toolkit-gpg-old"), Path("/dev/shm/ci-toolkit-gpg-young")
    for path in (old, young):
        path.mkdir()
        (path / "secring").write_text("key", encoding="utf-8")
    os.utime(old, (time.time() - 3600,) * 2)
    try:
        signing.sign(listed, listed.with_name("SHA256SUMS.asc"), Key(armoured=key_of(home, "plain@example.org", "")))
        assert not old.exists()
        assert young.exists()
    finally:
        subprocess.run(("rm", "-rf", old, young), check=True)


def test_the_key_comes_from_a_variable_or_the_file_that_it_names(tmp_path: Path) -> None:
    block = "-----BEGIN PGP PRIVATE KEY BLOCK-----\nabc\n-----END PGP PRIVATE KEY BLOCK-----"
    file = tmp_path / "key"
    file.write_text(block, encoding="utf-8")
    environ = {"CI_TOOLKIT_SIGNING_PASSPHRASE": "p"}
    for value in (block, f"\n{block}\n", str(file)):
        found = signing.find({**environ, "CI_TOOLKIT_SIGNING_KEY": value})
        assert found is not None
        assert (found.armoured, found.passphrase) == (f"{block}\n", "p")
        assert "abc" not in repr(found)
    assert signing.find(environ) is None


@pytest.mark.parametrize("value", ["abc", "/nowhere", "-----BEGIN PGP PUBLIC KEY BLOCK-----"])
def test_what_is_no_key_is_told_and_not_shown(value: str) -> None:
    with pytest.raises(UsageError) as caught:
        signing.find({"CI_TOOLKIT_SIGNING_KEY": value})
    assert value not in f"{caught.value.message}{caught.value.hint}"
