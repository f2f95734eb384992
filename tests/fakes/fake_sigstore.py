"""An instance of Sigstore on loopback: what certifies (Fulcio, with a CT log), what witnesses (Rekor), GitHub's tokens.

All keys are its own, and `trust` is the configuration by which a client trusts it and no other. Rekor is of the API 1,
or 2, which tells no time, so that OpenSSL's timestamp authority does.
"""

import base64
import hashlib
import json
import secrets
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import jwt
import merkle
import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from forge_server import Answer, ForgeServer, Request

ISSUER: Final = "https://token.actions.githubusercontent.com"
WORKFLOW: Final = "archlinux/images/.github/workflows/release.yml@refs/heads/main"
IDENTITY: Final = f"https://github.com/{WORKFLOW}"
REQUEST_TOKEN: Final = "of-the-job"

# https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md and RFC 6962 §3.3
_ISSUER_V1: Final = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_V2: Final = ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_TIMESTAMPS: Final = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_SHA256: Final = ec.ECDSA(hashes.SHA256())
_LONG: Final = timedelta(days=365)
_TSA: Final = "[tsa]\ndefault_tsa = one\n[one]\nserial = serial\ndefault_policy = 1.2.3.4\ndigests = sha256\n"


class FakeSigstore:
    """One instance; `server` is open until its context ends. What Fulcio has certified is in `certified`."""

    def __init__(self, place: Path, rekor: int = 1) -> None:
        self.server = ForgeServer(self._answer, "", "sigstore")
        self.server.checks = False
        self._place, self._rekor = place, rekor
        self._token_key = secrets.token_hex(32)
        self._ca_key, self._ct_key, self._log_key, self._tsa_key = (
            ec.generate_private_key(ec.SECP256R1()) for _ in "abcd"
        )
        self._ca = _authority("fulcio.invalid", self._ca_key)
        self._tsa = _timestamper(self._tsa_key, self._ca, self._ca_key)
        self._leaves = [merkle.leaf(bytes([number])) for number in range(6)]
        self.certified: list[x509.Certificate] = []
        (place / "serial").write_text("01\n", encoding="ascii")
        (place / "tsa.cnf").write_text(_TSA, encoding="ascii")
        (place / "tsa.pem").write_bytes(self._tsa.public_bytes(Encoding.PEM))
        words = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (place / "tsa.key").write_bytes(self._tsa_key.private_bytes(*words))

    @property
    def environ(self) -> dict[str, str]:
        """The variables of a job of GitHub that may have tokens."""
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.server.root}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": REQUEST_TOKEN,
        }

    def token(self, *, audience: str = "sigstore", seconds: int = 300, issuer: str = ISSUER) -> str:
        """Return a token for the workflow, which runs out in SECONDS."""
        now = int(time.time())
        claims = {
            **{"iss": issuer, "aud": audience, "iat": now, "nbf": now - 5, "exp": now + seconds},
            **{"sub": "repo:archlinux/images:environment:release", "job_workflow_ref": WORKFLOW},
        }
        return jwt.encode(claims, self._token_key, algorithm="HS256")

    def trust(self) -> str:
        """Return the ClientTrustConfig of this instance, as JSON."""
        second = {
            **{"baseUrl": self.server.root, "hashAlgorithm": "SHA2_256", "operator": "sigstore.invalid"},
        }
        start = {"start": _moment(datetime.now(UTC) - timedelta(hours=1))}
        service = {"validFor": start, "operator": "sigstore.invalid"}
        ours = {"url": self.server.root, "majorApiVersion": 1, **service}
        chain = {"certificates": [{"rawBytes": _base64(self._ca.public_bytes(Encoding.DER))}]}
        stamped = {
            "certificates": [{"rawBytes": _base64(self._tsa.public_bytes(Encoding.DER))}, *chain["certificates"]]
        }
        subject = {"subject": {"organization": "sigstore.invalid", "commonName": "fulcio"}, "validFor": start}
        root = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [{**second, **_known(self._log_key, start)}],
            "ctlogs": [{**second, **_known(self._ct_key, start)}],
            "certificateAuthorities": [{**subject, "uri": self.server.root, "certChain": chain}],
            "timestampAuthorities": [{**subject, "uri": self.server.root, "certChain": stamped}],
        }
        signing = {
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            **{"caUrls": [ours], "oidcUrls": [ours]},
            "rekorTlogUrls": [{**ours, "majorApiVersion": self._rekor}],
            "rekorTlogConfig": {"selector": "ANY"},
            "tsaUrls": [{**ours, "url": f"{self.server.root}/timestamp"}] if self._rekor == 2 else [],
            "tsaConfig": {"selector": "ANY"},
        }
        kind = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
        return json.dumps({"mediaType": kind, "trustedRoot": root, "signingConfig": signing})

    def _answer(self, request: Request) -> Answer:
        match request.path:
            case "/token":
                known = request.headers.get("Authorization", "").lower() == f"bearer {REQUEST_TOKEN}"
                audience = request.query.get("audience", "")
                return (
                    Answer(status=200, content={"value": self.token(audience=audience)})
                    if known
                    else Answer(status=401)
                )
            case "/api/v2/signingCert":
                return self._certify(request)
            case "/api/v1/log/entries":
                return self._log_v1(request.json()["spec"], request.body)
            case "/api/v2/log/entries":
                return self._log_v2(request.json()["hashedRekordRequestV002"])
            case "/timestamp":
                return Answer(status=200, content=self._stamped(request.body))
            case _:
                return Answer(status=404, content={"code": 5, "message": "Not Found"})

    def _certify(self, request: Request) -> Answer:
        """Certify the key of the request for the workflow that the token is of, for ten minutes, as Fulcio does."""
        words = request.headers.get("Authorization", "").split()
        try:
            claims = jwt.decode(words[-1], self._token_key, algorithms=["HS256"], audience="sigstore")
        except (jwt.InvalidTokenError, IndexError):
            message = "There was an error processing the identity token"
            return Answer(status=401, content={"code": 16, "message": message, "details": []})
        asked = x509.load_pem_x509_csr(base64.b64decode(request.json()["certificateSigningRequest"]))
        now = datetime.now(UTC).replace(microsecond=0)
        builder = (
            x509.CertificateBuilder(serial_number=x509.random_serial_number())
            .issuer_name(self._ca.subject)
            .subject_name(x509.Name([]))
            .public_key(asked.public_key())
            .not_valid_before(now)
            .not_valid_after(now + timedelta(minutes=10))
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._ca_key.public_key()), critical=False
            )
            .add_extension(
                x509.SubjectAlternativeName(
                    [x509.UniformResourceIdentifier(f"https://github.com/{claims['job_workflow_ref']}")]
                ),
                critical=True,
            )
            .add_extension(x509.UnrecognizedExtension(_ISSUER_V1, claims["iss"].encode()), critical=False)
            .add_extension(x509.UnrecognizedExtension(_ISSUER_V2, _der(0x0C, claims["iss"].encode())), critical=False)
        )
        told = builder.sign(self._ca_key, hashes.SHA256()).tbs_certificate_bytes
        stamps = x509.UnrecognizedExtension(_TIMESTAMPS, _der(0x04, self._logged(told, now)))
        made = builder.add_extension(stamps, critical=False).sign(self._ca_key, hashes.SHA256())
        self.certified.append(made)
        chain = [one.public_bytes(Encoding.PEM).decode() for one in (made, self._ca)]
        return Answer(status=200, content={"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}})

    def _logged(self, told: bytes, now: datetime) -> bytes:
        """Return the list of one timestamp by which the CT log promises to log the certificate TOLD (RFC 6962 §3.2)."""
        issuer = hashlib.sha256(_public(self._ca_key)).digest()
        moment = int(now.timestamp() * 1000)
        signed = struct.pack("!BBQH", 0, 0, moment, 1) + issuer + len(told).to_bytes(3, "big") + told + b"\0\0"
        signature = self._ct_key.sign(signed, _SHA256)
        stamp = b"\0" + hashlib.sha256(_public(self._ct_key)).digest() + struct.pack("!QH", moment, 0)
        stamp += struct.pack("!BBH", 4, 3, len(signature)) + signature
        return struct.pack("!HH", len(stamp) + 2, len(stamp)) + stamp

    def _log_v1(self, spec: dict[str, Any], body: bytes) -> Answer:
        """Log an entry, and promise that it is in the log since now."""
        certificate = x509.load_pem_x509_certificate(base64.b64decode(spec["signature"]["publicKey"]["content"]))
        digest, signature = bytes.fromhex(spec["data"]["hash"]["value"]), base64.b64decode(spec["signature"]["content"])
        if not _signed(certificate, digest, signature):
            return Answer(status=400, content={"code": 400, "message": "verifying signature"})
        number, proof = self._proof(body)
        entry = {
            **{"body": _base64(body), "integratedTime": int(time.time())},
            **{"logID": hashlib.sha256(_public(self._log_key)).hexdigest(), "logIndex": number},
        }
        promised = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
        told = {
            **{"logIndex": number, "treeSize": len(self._leaves), "checkpoint": proof["checkpoint"]["envelope"]},
            "rootHash": base64.b64decode(proof["rootHash"]).hex(),
            "hashes": [base64.b64decode(one).hex() for one in proof["hashes"]],
        }
        promise = _base64(self._log_key.sign(promised, _SHA256))
        entry["verification"] = {"signedEntryTimestamp": promise, "inclusionProof": told}
        return Answer(status=201, content={secrets.token_hex(32): entry})

    def _log_v2(self, asked: dict[str, Any]) -> Answer:
        """Log an entry, and say nothing of when."""
        verifier = asked["signature"]["verifier"]
        certificate = x509.load_der_x509_certificate(base64.b64decode(verifier["x509Certificate"]["rawBytes"]))
        digest, signature = base64.b64decode(asked["digest"]), base64.b64decode(asked["signature"]["content"])
        if not _signed(certificate, digest, signature):
            return Answer(status=400, content={"code": 3, "message": "verifying signature"})
        data = {"algorithm": "SHA2_256", "digest": asked["digest"]}
        spec = {"hashedRekordV002": {"data": data, "signature": asked["signature"]}}
        kind = {"kind": "hashedrekord", "version": "0.0.2"}
        entry = {"apiVersion": kind["version"], "kind": kind["kind"], "spec": spec}
        body = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
        number, proof = self._proof(body)
        told = {
            **{"logIndex": str(number), "kindVersion": kind, "canonicalizedBody": _base64(body)},
            "logId": {"keyId": _base64(hashlib.sha256(_public(self._log_key)).digest())},
            "inclusionProof": {"logIndex": str(number), "treeSize": str(len(self._leaves)), **proof},
        }
        return Answer(status=201, content=told)

    def _proof(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """Put BODY into the log, and return its number with the proof that it is there, under a signed checkpoint."""
        number = len(self._leaves)
        self._leaves.append(merkle.leaf(body))
        root = _base64(merkle.root(self._leaves))
        note = f"rekor.invalid\n{len(self._leaves)}\n{root}\n"
        signature = hashlib.sha256(_public(self._log_key)).digest()[:4] + self._log_key.sign(note.encode(), _SHA256)
        envelope = f"{note}\n— rekor.invalid {_base64(signature)}\n"
        hashes_ = [_base64(one) for one in merkle.path(number, self._leaves)]
        return number, {"rootHash": root, "hashes": hashes_, "checkpoint": {"envelope": envelope}}

    def _stamped(self, query: bytes) -> bytes:
        """Return what OpenSSL's timestamp authority says to QUERY (RFC 3161)."""
        (self._place / "query").write_bytes(query)
        words = ("-config", "tsa.cnf", "-queryfile", "query", "-signer", "tsa.pem", "-inkey", "tsa.key", "-sha256")
        argv = ("openssl", "ts", "-reply", *words)
        return subprocess.run(argv, cwd=self._place, check=True, capture_output=True).stdout


@contextmanager
def opened(rekor: int = 1) -> Iterator[FakeSigstore]:
    """Yield an instance whose Rekor speaks the API of that number."""
    if rekor == 2 and shutil.which("openssl") is None:
        pytest.skip("openssl is needed, which tells the time")
    with tempfile.TemporaryDirectory() as place:
        fake = FakeSigstore(Path(place), rekor)
        with fake.server:
            yield fake


def _authority(name: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        _dated(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(_usage(key_cert_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _timestamper(
    key: ec.EllipticCurvePrivateKey, authority: x509.Certificate, by: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "timestamp.invalid")])
    return (
        _dated(subject, authority.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .sign(by, hashes.SHA256())
    )


def _dated(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(serial_number=x509.random_serial_number())
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LONG)
    )


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(certificate: x509.Certificate, digest: bytes, signature: bytes) -> bool:
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    try:
        key.verify(signature, digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    except InvalidSignature:
        return False
    return True


def _known(key: ec.EllipticCurvePrivateKey, since: dict[str, str]) -> dict[str, Any]:
    """Return the public half of KEY as a trusted root has it, with the name of the log that signs by it."""
    public = _public(key)
    told = {"rawBytes": _base64(public), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": since}
    return {"publicKey": told, "logId": {"keyId": _base64(hashlib.sha256(public).digest())}}


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x81, size]) if size < 256 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _moment(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
