import hashlib
from pathlib import Path

import fake_sigstore
import pytest
from fake_sigstore import IDENTITY, ISSUER
from keys import Keys

from ci_toolkit.errors import UnreadableError
from ci_toolkit.records import keyless, published, vouching
from ci_toolkit.records.keyless import Expected, Identity

pytestmark = pytest.mark.slow

CONTENT = b"a record\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
SUMS = f"{DIGEST}  build-record.json\n".encode()


def vouch(place: Path, known: str | None = None, *keys: bytes) -> vouching.Vouched:
    return vouching.vouch(published.directory(str(place)), "build-record.json", CONTENT, known, keys)


def test_nobody_vouches_for_what_lies_alone_nor_for_a_list_beside_it(tmp_path: Path) -> None:
    assert not vouch(tmp_path).by_anybody
    (tmp_path / "SHA256SUMS").write_bytes(SUMS)
    found = vouch(tmp_path)
    assert not found.by_anybody
    assert "SHA256SUMS" in found.sentence


def test_a_digest_that_is_known_vouches_and_another_one_refuses(tmp_path: Path) -> None:
    assert vouch(tmp_path, DIGEST).by_anybody
    with pytest.raises(UnreadableError, match="not the one"):
        vouch(tmp_path, "0" * 64)


def test_a_list_that_has_another_digest_refuses(tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").write_bytes(SUMS.replace(DIGEST[:4].encode(), b"0000"))
    for known in (None, DIGEST):
        with pytest.raises(UnreadableError, match="SHA256SUMS"):
            vouch(tmp_path, known)


@pytest.mark.parametrize("suffix", [".asc", ".sig"])
def test_a_key_vouches_for_the_list_and_so_for_the_record(ring: Keys, tmp_path: Path, suffix: str) -> None:
    (tmp_path / "SHA256SUMS").write_bytes(SUMS)
    (tmp_path / f"SHA256SUMS{suffix}").write_bytes(ring.sign("release", SUMS))
    found = vouch(tmp_path, None, ring.public("release"))
    assert found.by_anybody
    assert "SHA256SUMS" in found.sentence
    with pytest.raises(UnreadableError, match="another key"):
        vouch(tmp_path, None, ring.public("stranger"))


def test_a_key_vouches_for_a_record_that_is_signed_itself(ring: Keys, tmp_path: Path) -> None:
    (tmp_path / "build-record.json.asc").write_bytes(ring.sign("release", CONTENT))
    assert vouch(tmp_path, None, ring.public("release")).by_anybody


def test_a_key_and_no_signature_is_a_refusal_also_with_a_known_digest(ring: Keys, tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").write_bytes(SUMS)
    for known in (None, DIGEST):
        with pytest.raises(UnreadableError, match="no signature"):
            vouch(tmp_path, known, ring.public("release"))


def test_a_signed_list_without_the_record_vouches_for_nothing(ring: Keys, tmp_path: Path) -> None:
    other = f"{DIGEST}  other.json\n".encode()
    (tmp_path / "SHA256SUMS").write_bytes(other)
    (tmp_path / "SHA256SUMS.asc").write_bytes(ring.sign("release", other))
    with pytest.raises(UnreadableError, match="no signature"):
        vouch(tmp_path, None, ring.public("release"))


def test_who_signed_by_sigstore_vouches_for_the_list_and_so_for_the_record(ring: Keys, tmp_path: Path) -> None:
    with fake_sigstore.opened() as fake:
        trust = tmp_path / "trust.json"
        trust.write_text(fake.trust(), encoding="utf-8")
        bundle = keyless.sign(SUMS, fake.token(), keyless.trusted(trust)).bundle
    place = tmp_path / "release"
    place.mkdir()

    def vouch_by(name: str, *keys: bytes) -> vouching.Vouched:
        expected = Expected(by=Identity(name=name, issuer=ISSUER), trust=trust)
        base = published.directory(str(place))
        return vouching.vouch(base, "build-record.json", CONTENT, None, keys, expected)

    with pytest.raises(UnreadableError, match="in no SHA256SUMS"):
        vouch_by(IDENTITY)
    (place / "SHA256SUMS").write_bytes(SUMS)
    with pytest.raises(UnreadableError, match=r"SHA256SUMS\.sigstore\.json"):
        vouch_by(IDENTITY)
    (place / "SHA256SUMS.sigstore.json").write_text(bundle, encoding="utf-8")
    found = vouch_by(IDENTITY)
    assert found.by_anybody
    assert IDENTITY in found.sentence
    with pytest.raises(UnreadableError, match="does not count"):
        vouch_by(f"{IDENTITY}x")
    with pytest.raises(UnreadableError, match="no signature"):
        vouch_by(IDENTITY, ring.public("release"))
