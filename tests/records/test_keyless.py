"""Signatures by Sigstore, made against an instance on loopback, and judged by the library's own command."""

import base64
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_sigstore
import pytest
from fake_sigstore import IDENTITY, ISSUER, FakeSigstore
from forge_server import Answer, Fault

from ci_toolkit.errors import ForgeError, UnreadableError, UsageError
from ci_toolkit.records import keyless
from ci_toolkit.records.keyless import Identity, UnreachableError

pytestmark = pytest.mark.slow

CONTENT = b"0" * 64 + b"  image.raw\n"
US = Identity(name=IDENTITY, issuer=ISSUER)


@pytest.fixture(scope="module")
def sigstore() -> Iterator[FakeSigstore]:
    with fake_sigstore.opened() as fake:
        yield fake


@pytest.fixture
def trust(sigstore: FakeSigstore, tmp_path: Path) -> Path:
    file = tmp_path / "trust.json"
    file.write_text(sigstore.trust(), encoding="utf-8")
    return file


@pytest.fixture
def bundle(sigstore: FakeSigstore, trust: Path) -> bytes:
    return keyless.sign(CONTENT, sigstore.token(), keyless.trusted(trust)).bundle.encode()


def command(folder: Path, trust: Path, bundle: str, content: bytes, by: Identity) -> int:
    """Let the library's own command judge."""
    (folder / "bundle").write_text(bundle, encoding="utf-8")
    (folder / "content").write_bytes(content)
    known = ("--cert-identity", by.name, "--cert-oidc-issuer", by.issuer)
    argv = (sys.executable, "-m", "sigstore", "--trust-config", trust, "verify", "identity", *known)
    done = subprocess.run((*argv, "--bundle", "bundle", "content"), cwd=folder, capture_output=True, check=False)
    return done.returncode


@pytest.mark.parametrize("rekor", [1, 2])
def test_sigstores_own_command_verifies_what_was_signed_and_nothing_else(rekor: int, tmp_path: Path) -> None:
    with fake_sigstore.opened(rekor) as fake, fake_sigstore.opened(rekor) as other:
        trust, strange = tmp_path / "trust.json", tmp_path / "strange.json"
        trust.write_text(fake.trust(), encoding="utf-8")
        strange.write_text(other.trust(), encoding="utf-8")
        made = keyless.sign(CONTENT, fake.token(), keyless.trusted(trust))
        assert made.by == US
        assert json.loads(made.bundle)["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
        for content, by, root, good in (
            (CONTENT, US, trust, True),
            (CONTENT[:-1] + b" ", US, trust, False),
            (CONTENT, replace(US, name=f"{IDENTITY}x"), trust, False),
            (CONTENT, replace(US, issuer="https://gitlab.com"), trust, False),
            (CONTENT, US, strange, False),
        ):
            assert (command(tmp_path, root, made.bundle, content, by) == 0) == good
            try:
                keyless.verify(content, made.bundle.encode(), by, keyless.trusted(root))
            except UnreadableError as error:
                assert not good
                assert "\n" not in error.message
            else:
                assert good


@pytest.mark.parametrize("by", [Identity(name="", issuer=ISSUER), Identity(name=IDENTITY, issuer="")])
def test_nobody_is_not_anybody(bundle: bytes, trust: Path, by: Identity) -> None:
    with pytest.raises(UnreadableError):
        keyless.verify(CONTENT, bundle, by, keyless.trusted(trust))


def _without(bundle: bytes, *names: str) -> bytes:
    found = json.loads(bundle)
    inner: Any = found
    for name in names[:-1]:
        inner = inner[name]
    del inner[names[-1]]
    return json.dumps(found).encode()


def test_what_is_no_bundle_is_told_in_one_line_and_soon(bundle: bytes, trust: Path) -> None:
    entry = json.loads(bundle)["verificationMaterial"]["tlogEntries"][0]
    many = json.loads(bundle)
    many["verificationMaterial"]["tlogEntries"] = [entry] * 200
    proof = json.loads(bundle)
    proof["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["hashes"] = ["AAAA"] * 100_000
    certificate = json.loads(bundle)
    certificate["verificationMaterial"]["certificate"]["rawBytes"] = "AAAA"
    cases = (
        *(b"", b"[]", b"{}", b"\0junk" * 1000, b"[" * 500_000, b'{"mediaType": ' * 50_000),
        *(json.dumps(one).encode() for one in (many, proof, certificate)),
        _without(bundle, "messageSignature"),
        _without(bundle, "verificationMaterial", "certificate"),
        _without(bundle, "verificationMaterial", "tlogEntries"),
    )
    begun = time.monotonic()
    for case in cases:
        with pytest.raises(UnreadableError) as refused:
            keyless.verify(CONTENT, case, US, keyless.trusted(trust))
        assert refused.value.message
        assert "\n" not in refused.value.message
        assert len(refused.value.message) < 400
    assert time.monotonic() - begun < 60


def _proof(bundle: bytes) -> tuple[bytes, bytes]:
    found = json.loads(bundle)
    certificate, signature = found["verificationMaterial"]["certificate"]["rawBytes"], found["messageSignature"]
    return base64.b64decode(certificate), base64.b64decode(signature["signature"])


def test_a_bundle_that_is_damaged_somewhere_is_refused_or_proves_the_same(bundle: bytes, trust: Path) -> None:
    """No damage ends in anything but our own error; what is taken has the certificate and signature that were made."""
    known, chance = keyless.trusted(trust), random.Random(5)
    refused = 0
    for _ in range(300):
        damaged = bytearray(bundle)
        for _ in range(chance.choice((1, 1, 3))):
            damaged[chance.randrange(len(damaged))] = chance.choice(b'A0"{}[],:\\ x')
        try:
            keyless.verify(CONTENT, bytes(damaged), US, known)
        except UnreadableError:
            refused += 1
        else:
            assert _proof(bytes(damaged)) == _proof(bundle)
    assert refused > 200


@pytest.mark.parametrize(
    ("token", "said"), [({"seconds": -10}, "none for Sigstore"), ({"audience": "other"}, "none for Sigstore")]
)
def test_a_token_that_is_none_is_told_before_it_is_sent(
    sigstore: FakeSigstore, trust: Path, token: dict[str, Any], said: str
) -> None:
    before = len(sigstore.server.requests)
    with pytest.raises(ForgeError, match=said) as refused:
        keyless.sign(CONTENT, sigstore.token(**token), keyless.trusted(trust))
    assert refused.value.hint is not None
    assert "id-token: write" in refused.value.hint
    assert len(sigstore.server.requests) == before


def test_a_token_that_is_refused_is_told_and_not_shown(sigstore: FakeSigstore, trust: Path) -> None:
    with fake_sigstore.opened() as other:
        strange = other.token()
    with pytest.raises(ForgeError, match=r"refuses \(401: .*identity token") as refused:
        keyless.sign(CONTENT, strange, keyless.trusted(trust))
    assert not isinstance(refused.value, UnreachableError)
    token = sigstore.token()
    sigstore.server.faults.append(Fault(method="POST", answer=Answer(status=403, content=f"not {token}\n\x1b[1m")))
    with pytest.raises(ForgeError, match=r"403: not \*\*\*") as refused:
        keyless.sign(CONTENT, token, keyless.trusted(trust))
    assert "\x1b" not in refused.value.message


@pytest.mark.parametrize("path", ["signingCert", "log/entries"])
@pytest.mark.parametrize("status", [0, 429, 503])
def test_what_may_work_later_is_told_apart(sigstore: FakeSigstore, trust: Path, path: str, status: int) -> None:
    sigstore.server.faults.append(Fault(method="POST", path_part=path, answer=Answer(status=status, content={})))
    with pytest.raises(UnreachableError):
        keyless.sign(CONTENT, sigstore.token(), keyless.trusted(trust))
    assert sigstore.server.faults == []


@pytest.mark.parametrize(
    "content", ["<html>", {}, {"signedCertificateEmbeddedSct": {"chain": {"certificates": ["x", "y"]}}}]
)
def test_answers_of_something_else_are_told(sigstore: FakeSigstore, trust: Path, content: object) -> None:
    sigstore.server.faults.append(Fault(method="POST", answer=Answer(status=200, content=content)))
    with pytest.raises(ForgeError) as refused:
        keyless.sign(CONTENT, sigstore.token(), keyless.trusted(trust))
    assert "\n" not in refused.value.message
    assert not isinstance(refused.value, UnreachableError)


def test_a_bundle_without_the_time_that_it_needs_is_none(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The library itself goes on where the timestamp authority fails, and only warns."""
    with fake_sigstore.opened(2) as fake:
        trust = tmp_path / "trust.json"
        trust.write_text(fake.trust(), encoding="utf-8")
        fake.server.faults.append(Fault(method="POST", path_part="timestamp", answer=Answer(status=503, content={})))
        with pytest.raises(UnreachableError, match="timestamp the bundle"):
            keyless.sign(CONTENT, fake.token(), keyless.trusted(trust))
        made = keyless.sign(CONTENT, fake.token(), keyless.trusted(trust))
        assert command(tmp_path, trust, made.bundle, CONTENT, US) == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("text", ["", "{}", "[" * 100_000, '{"mediaType": "application/json"}', "\0"])
def test_a_trust_configuration_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "trust.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"trust\.json is no trust configuration") as refused:
        keyless.trusted(file)
    assert "\n" not in refused.value.message
    with pytest.raises(UsageError, match="No such file"):
        keyless.trusted(tmp_path / "none")


def test_what_was_signed_is_verified_when_nothing_signs_any_more(bundle: bytes, trust: Path) -> None:
    keyless.demand_services(trust)
    told = json.loads(trust.read_text(encoding="utf-8"))
    told["signingConfig"]["caUrls"][0]["validFor"]["end"] = told["signingConfig"]["caUrls"][0]["validFor"]["start"]
    trust.write_text(json.dumps(told), encoding="utf-8")
    keyless.verify(CONTENT, bundle, US, keyless.trusted(trust))
    with pytest.raises(UsageError, match=r"trust\.json is no trust configuration.* Fulcio"):
        keyless.demand_services(trust)


def test_where_there_is_no_network_the_public_instance_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(UnreachableError, match="root of trust cannot be fetched") as refused:
        keyless.trusted(None)
    assert "--trust-config" in (refused.value.hint or "")
