"""The signatures of a release, verified by gpg and by Sigstore's library."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fake_sigstore
import pytest
from fake_sigstore import IDENTITY, ISSUER, FakeSigstore
from forge_server import Answer, Fault
from keys import made
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.verify import Verifier, policy
from waits import Waits

from ci_toolkit.errors import ForgeError, HostError
from ci_toolkit.publish import checksums, files, signing
from ci_toolkit.publish.signing import Keyless
from ci_toolkit.records import keyless
from ci_toolkit.records.openpgp import Key

pytestmark = pytest.mark.slow


def test_gpg_verifies_the_list_of_checksums_that_was_signed(tmp_path: Path) -> None:
    listed = tmp_path / "SHA256SUMS"
    listed.write_text("abc  image.raw\n", encoding="utf-8")
    said: list[str] = []
    with made("images") as ring:
        file = signing.signed(tmp_path, Key(armoured=ring.secret("images")), said.append)
        ring.gpg("--verify", tmp_path / "SHA256SUMS.asc", listed)
        assert said == [f"Signed by {ring.fingerprint('images')}"]
        body = ring.secret("images").splitlines()[3]
    assert file.name == "SHA256SUMS.asc"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SHA256SUMS", "SHA256SUMS.asc"]
    assert not any(body in path.read_text(encoding="utf-8") for path in tmp_path.iterdir())


@pytest.fixture
def sigstore() -> Iterator[FakeSigstore]:
    with fake_sigstore.opened() as fake:
        yield fake


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "SHA256SUMS").write_text("abc  image.raw\n", encoding="utf-8")
    return folder


def how(sigstore: FakeSigstore, folder: Path, waits: Waits) -> Keyless:
    trust = folder / "trust.json"
    trust.write_text(sigstore.trust(), encoding="utf-8")
    return signing.keyless_of(sigstore.environ, trust, waits.patience())


def verified(sigstore: FakeSigstore, folder: Path) -> None:
    root = ClientTrustConfig.from_json(sigstore.trust()).trusted_root
    bundle = Bundle.from_json((folder / "SHA256SUMS.sigstore.json").read_bytes())
    known = policy.Identity(identity=IDENTITY, issuer=ISSUER)
    Verifier(trusted_root=root).verify_artifact((folder / "SHA256SUMS").read_bytes(), bundle, known)


def test_sigstore_verifies_the_list_of_checksums_that_was_signed(
    sigstore: FakeSigstore, listed: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    file, by = signing.signed_keyless(listed, how(sigstore, tmp_path, Waits()), said.append)
    assert file.name == "SHA256SUMS.sigstore.json"
    assert said == [f"Signed by {IDENTITY}, as {ISSUER} knows it"]
    assert by == keyless.Identity(name=IDENTITY, issuer=ISSUER)
    assert sorted(path.name for path in listed.iterdir()) == ["SHA256SUMS", "SHA256SUMS.sigstore.json"]
    verified(sigstore, listed)


@pytest.mark.parametrize("path", ["token", "signingCert", "log/entries"])
def test_sigstore_is_asked_again_while_it_fails(
    sigstore: FakeSigstore, listed: Path, tmp_path: Path, path: str
) -> None:
    waits = Waits()
    method = "GET" if path == "token" else "POST"
    sigstore.server.faults.append(Fault(method=method, path_part=path, answer=Answer(status=503, content={}), times=2))
    signing.signed_keyless(listed, how(sigstore, tmp_path, waits), lambda _: None)
    assert len(waits.seconds) == 2
    verified(sigstore, listed)


def test_where_it_goes_on_failing_nothing_is_written(sigstore: FakeSigstore, listed: Path, tmp_path: Path) -> None:
    waits = Waits()
    fault = Fault(method="POST", path_part="log/entries", answer=Answer(status=0), times=100)
    sigstore.server.faults.append(fault)
    with pytest.raises(ForgeError, match="nothing is signed"):
        signing.signed_keyless(listed, how(sigstore, tmp_path, waits), lambda _: None)
    assert len(waits.seconds) == waits.patience().attempts - 1
    assert [path.name for path in listed.iterdir()] == ["SHA256SUMS"]


def test_one_that_never_answers_is_given_up(sigstore: FakeSigstore, listed: Path, tmp_path: Path) -> None:
    slow = Answer(status=200, content="x" * 1000, trickle=1.0)
    sigstore.server.faults.append(Fault(method="POST", answer=slow))
    known = how(sigstore, tmp_path, Waits())
    hasty = replace(known, patience=replace(known.patience, attempts=1, end_seconds=1.0))
    with pytest.raises(ForgeError, match="not answered in full"):
        signing.signed_keyless(listed, hasty, lambda _: None)
    assert [path.name for path in listed.iterdir()] == ["SHA256SUMS"]


def test_a_token_that_is_refused_is_not_offered_again(sigstore: FakeSigstore, listed: Path, tmp_path: Path) -> None:
    sigstore.server.faults.append(Fault(method="POST", answer=Answer(status=401, content={"message": "no"})))
    with pytest.raises(ForgeError, match="refuses"):
        signing.signed_keyless(listed, how(sigstore, tmp_path, Waits()), lambda _: None)
    assert [path.name for path in listed.iterdir()] == ["SHA256SUMS"]


def test_without_the_library_it_is_told_before_anything_else(
    sigstore: FakeSigstore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(HostError, match="not installed") as refused:
        signing.keyless_of({}, None, Waits().patience())
    assert "pip install" in (refused.value.hint or "")


def test_another_list_takes_the_signatures_of_the_old_one_with_it(tmp_path: Path) -> None:
    image = tmp_path / "image.raw"
    for number, word in enumerate(("one", "one", "two")):
        image.write_text(word, encoding="utf-8")
        checksums.write([files.file(image, image.name)], tmp_path)
        there = [name for name in checksums.SIGNATURES if (tmp_path / name).exists()]
        assert there == (list(checksums.SIGNATURES) if number == 1 else [])
        for name in checksums.SIGNATURES:
            (tmp_path / name).touch()
