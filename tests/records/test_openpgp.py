import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from keys import Keys

from ci_toolkit.errors import UsageError
from ci_toolkit.records import openpgp
from ci_toolkit.records.openpgp import Key

pytestmark = pytest.mark.slow

CONTENT = b"0" * 64 + b"  image.raw\n"


def test_a_signature_is_by_the_key_that_made_it(ring: Keys) -> None:
    signature = ring.sign("alice", CONTENT)
    judged = openpgp.judge(CONTENT, signature, [ring.public("bob"), ring.public("alice")])
    assert judged == openpgp.Judgement(signers=frozenset({ring.fingerprint("alice")}))


def test_one_that_is_not_armoured_is_taken_as_well(ring: Keys) -> None:
    signature = ring.gpg("--dearmor", stdin=ring.sign("alice", CONTENT))
    assert openpgp.judge(CONTENT, signature, [ring.public("alice")]).signers == {ring.fingerprint("alice")}


def test_two_signatures_in_one_file_are_by_both(ring: Keys) -> None:
    two = ring.gpg("--dearmor", stdin=ring.sign("alice", CONTENT))
    two += ring.gpg("--dearmor", stdin=ring.sign("bob", CONTENT))
    known = [ring.public("alice"), ring.public("bob")]
    assert openpgp.judge(CONTENT, two, known).signers == {ring.fingerprint("alice"), ring.fingerprint("bob")}
    assert openpgp.judge(CONTENT, two, known[:1]).signers == {ring.fingerprint("alice")}


@pytest.mark.parametrize("case", ["other file", "other key", "no key", "junk", "empty", "a message", "two, one bad"])
def test_a_signature_that_is_none_counts_for_nobody(ring: Keys, case: str) -> None:
    good, known = ring.sign("alice", CONTENT), [ring.public("alice")]
    content, signature, keys_ = {
        "other file": (CONTENT + b" ", good, known),
        "other key": (CONTENT, ring.sign("stranger", CONTENT), known),
        "no key": (CONTENT, good, []),
        "junk": (CONTENT, b"\0junk" * 1000, known),
        "empty": (CONTENT, b"", known),
        # Signed as a whole, something else: gpg could take it for what was signed.
        "a message": (CONTENT, ring.gpg("--local-user", "alice@example.org", "--sign", stdin=b"other"), known),
        "two, one bad": (
            CONTENT,
            ring.gpg("--dearmor", stdin=good) + ring.gpg("--dearmor", stdin=ring.sign("alice", b"other")),
            known,
        ),
    }[case]
    judged = openpgp.judge(content, signature, keys_)
    assert judged.signers == frozenset()
    assert judged.reason


def test_a_revoked_key_counts_for_nobody(ring: Keys) -> None:
    name = ring.make("revoked")
    signature = ring.sign("revoked", CONTENT)
    assert openpgp.judge(CONTENT, signature, [ring.public("revoked")]).signers == {name}
    certificate = (ring.home / "openpgp-revocs.d" / f"{name}.rev").read_text()
    ring.gpg("--import", stdin=certificate.replace(":-----BEGIN", "-----BEGIN").encode())
    judged = openpgp.judge(CONTENT, signature, [ring.public("revoked")])
    assert judged == openpgp.Judgement(signers=frozenset(), reason="its key was revoked")


def test_an_expired_key_counts_for_nobody(ring: Keys) -> None:
    words = ("--faked-system-time", "20200101T000000", "--passphrase", "")
    ring.gpg(*words, "--quick-generate-key", "old <old@example.org>", "ed25519", "sign", "1d")
    signature = ring.sign("old", CONTENT, "--faked-system-time", "20200101T010000")
    judged = openpgp.judge(CONTENT, signature, [ring.public("old")])
    assert judged == openpgp.Judgement(signers=frozenset(), reason="its key has expired")


def test_what_we_sign_gpg_verifies(ring: Keys, tmp_path: Path) -> None:
    made = openpgp.sign(CONTENT, Key(armoured=ring.secret("bob")))
    (tmp_path / "content").write_bytes(CONTENT)
    (tmp_path / "content.asc").write_text(made.armoured, encoding="ascii")
    ring.gpg("--verify", tmp_path / "content.asc", tmp_path / "content")
    assert made.signer == ring.fingerprint("bob")
    assert openpgp.judge(CONTENT, made.armoured.encode(), [ring.public("bob")]).signers == {made.signer}


def test_a_secret_key_may_have_a_passphrase(ring: Keys) -> None:
    ring.make("locked", passphrase="sesame")
    key = Key(armoured=ring.secret("locked", "sesame"), passphrase="sesame")
    assert openpgp.sign(CONTENT, key).signer == ring.fingerprint("locked")
    with pytest.raises(UsageError, match="gpg does not sign") as refused:
        openpgp.sign(CONTENT, replace(key, passphrase="open"))
    assert "sesame" not in f"{refused.value.message}{refused.value.hint}"


def test_the_key_comes_from_a_variable_or_the_file_that_it_names(tmp_path: Path) -> None:
    block = "-----BEGIN PGP PRIVATE KEY BLOCK-----\nabc\n-----END PGP PRIVATE KEY BLOCK-----"
    (tmp_path / "key").write_text(block, encoding="utf-8")
    environ = {openpgp.PASSPHRASE_VARIABLE: "p"}
    for value in (block, f"\n{block}\n", str(tmp_path / "key")):
        found = openpgp.secret_key({**environ, openpgp.KEY_VARIABLE: value})
        assert found is not None
        assert (found.armoured, found.passphrase) == (f"{block}\n", "p")
        assert "abc" not in repr(found)
    assert openpgp.secret_key(environ) is None


@pytest.mark.parametrize("value", ["abc", "/nowhere", "-----BEGIN PGP PUBLIC KEY BLOCK-----"])
def test_what_is_no_secret_key_is_told_and_not_shown(value: str) -> None:
    with pytest.raises(UsageError, match=openpgp.KEY_VARIABLE) as caught:
        openpgp.secret_key({openpgp.KEY_VARIABLE: value})
    assert value not in f"{caught.value.message}{caught.value.hint}"


def test_a_key_that_gpg_does_not_take_is_told_in_one_line() -> None:
    with pytest.raises(UsageError, match="gpg does not sign"):
        openpgp.sign(CONTENT, Key(armoured="-----BEGIN PGP PRIVATE KEY BLOCK-----\n"))


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where homes are made, for one test alone; the name of the agent's socket has to be short."""
    with tempfile.TemporaryDirectory(prefix="gpg-", dir="/dev/shm") as place:
        monkeypatch.setattr(openpgp, "_MEMORY", Path(place))
        yield Path(place)


def test_nothing_of_a_key_is_left(ring: Keys, memory: Path) -> None:
    openpgp.sign(CONTENT, Key(armoured=ring.secret("bob")))
    assert list(memory.iterdir()) == []


def test_what_a_run_left_that_was_killed_goes_with_the_next_one(ring: Keys, memory: Path) -> None:
    """It lies in memory, and nobody holds its lock; one that is young may only be about to take it."""
    names = ("ci-toolkit-gpg-old", "ci-toolkit-gpg-young", "ci-toolkit-gpg-held", "other")
    old, young, held, other = (memory / name for name in names)
    for path in (old, young, held, other):
        path.mkdir()
        (path / "secring").write_text("key", encoding="utf-8")
        if path != young:
            os.utime(path, (time.time() - 3600,) * 2)
    lock = os.open(held, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        openpgp.sign(CONTENT, Key(armoured=ring.secret("bob")))
    finally:
        os.close(lock)
    assert sorted(memory.iterdir()) == sorted((young, held, other))


def test_a_key_is_a_file_or_a_fingerprint_of_the_callers_keyring(ring: Keys, tmp_path: Path) -> None:
    (tmp_path / "alice.asc").write_bytes(ring.public("alice"))
    environ = {"GNUPGHOME": str(ring.home)}
    public = openpgp.keys([str(tmp_path / "alice.asc"), ring.fingerprint("bob").lower()], environ)
    assert openpgp.judge(CONTENT, ring.sign("alice", CONTENT), public[:1]).signers
    assert openpgp.judge(CONTENT, ring.sign("bob", CONTENT), public[1:]).signers


@pytest.mark.parametrize("given", ["nothing", "/dev/zero", "0" * 40, "junk"])
def test_what_is_no_key_is_told_in_one_line(given: str, tmp_path: Path) -> None:
    (tmp_path / "junk").write_text("junk")
    (tmp_path / "home").mkdir(mode=0o700)
    with pytest.raises(UsageError) as refused:
        openpgp.keys([str(tmp_path / given) if given == "junk" else given], {"GNUPGHOME": str(tmp_path / "home")})
    assert "\n" not in refused.value.message
