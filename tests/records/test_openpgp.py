from pathlib import Path

import pytest
from keys import Keys

from ci_toolkit.errors import UsageError
from ci_toolkit.records import openpgp

pytestmark = pytest.mark.slow

CONTENT = b"0" * 64 + b"  image.raw\n"


def fingerprint(ring: Keys, name: str) -> str:
    listed = ring.gpg("--with-colons", "--list-keys", f"{name}@example.org").decode()
    return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))


def test_a_signature_is_by_the_key_that_made_it(ring: Keys) -> None:
    signature = ring.sign("alice", CONTENT)
    judged = openpgp.judge(CONTENT, signature, [ring.public("bob"), ring.public("alice")])
    assert judged == openpgp.Judgement(signers=frozenset({fingerprint(ring, "alice")}))


def test_one_that_is_not_armoured_is_taken_as_well(ring: Keys) -> None:
    signature = ring.gpg("--dearmor", stdin=ring.sign("alice", CONTENT))
    assert openpgp.judge(CONTENT, signature, [ring.public("alice")]).signers == {fingerprint(ring, "alice")}


def test_two_signatures_in_one_file_are_by_both(ring: Keys) -> None:
    two = ring.gpg("--dearmor", stdin=ring.sign("alice", CONTENT))
    two += ring.gpg("--dearmor", stdin=ring.sign("bob", CONTENT))
    known = [ring.public("alice"), ring.public("bob")]
    assert openpgp.judge(CONTENT, two, known).signers == {fingerprint(ring, "alice"), fingerprint(ring, "bob")}
    assert openpgp.judge(CONTENT, two, known[:1]).signers == {fingerprint(ring, "alice")}


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
    signature = openpgp.sign(CONTENT, {openpgp.KEY_VARIABLE: ring.secret("bob")})
    assert signature is not None
    (tmp_path / "content").write_bytes(CONTENT)
    (tmp_path / "content.asc").write_bytes(signature)
    ring.gpg("--verify", tmp_path / "content.asc", tmp_path / "content")
    assert openpgp.judge(CONTENT, signature, [ring.public("bob")]).signers == {fingerprint(ring, "bob")}


def test_a_secret_key_may_have_a_passphrase_and_lie_in_a_file(ring: Keys, tmp_path: Path) -> None:
    ring.make("locked", passphrase="sesame")
    (tmp_path / "key").write_text(ring.secret("locked", "sesame"))
    environ = {openpgp.KEY_VARIABLE: str(tmp_path / "key"), openpgp.PASSPHRASE_VARIABLE: "sesame"}
    signature = openpgp.sign(CONTENT, environ)
    assert signature is not None
    assert openpgp.judge(CONTENT, signature, [ring.public("locked")]).signers == {fingerprint(ring, "locked")}
    with pytest.raises(UsageError) as refused:
        openpgp.sign(CONTENT, {**environ, openpgp.PASSPHRASE_VARIABLE: "open"})
    assert "sesame" not in refused.value.message


def test_without_a_key_nothing_is_signed() -> None:
    assert openpgp.sign(CONTENT, {}) is None
    with pytest.raises(UsageError):
        openpgp.sign(CONTENT, {openpgp.KEY_VARIABLE: "no key"})


def test_a_key_is_a_file_or_a_fingerprint_of_the_callers_keyring(ring: Keys, tmp_path: Path) -> None:
    (tmp_path / "alice.asc").write_bytes(ring.public("alice"))
    environ = {"GNUPGHOME": str(ring.home)}
    public = openpgp.keys([str(tmp_path / "alice.asc"), fingerprint(ring, "bob").lower()], environ)
    assert openpgp.judge(CONTENT, ring.sign("alice", CONTENT), public[:1]).signers
    assert openpgp.judge(CONTENT, ring.sign("bob", CONTENT), public[1:]).signers


@pytest.mark.parametrize("given", ["nothing", "/dev/zero", "0" * 40, "junk"])
def test_what_is_no_key_is_told_in_one_line(given: str, tmp_path: Path) -> None:
    (tmp_path / "junk").write_text("junk")
    (tmp_path / "home").mkdir(mode=0o700)
    with pytest.raises(UsageError) as refused:
        openpgp.keys([str(tmp_path / given) if given == "junk" else given], {"GNUPGHOME": str(tmp_path / "home")})
    assert "\n" not in refused.value.message
