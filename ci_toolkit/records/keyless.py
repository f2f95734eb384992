"""Signatures by Sigstore, which need no key: made for whom a token says that we are, and checked by whom they are.

A certificate authority (Fulcio) certifies a key, which is thrown away, for the identity in an OpenID Connect token; a
public log (Rekor) witnesses when it signed. Certificate, signature and witness are one file, a bundle (v0.3).

The library `sigstore` is an extra, and loaded here alone, when somebody asks for it.
https://docs.sigstore.dev/about/bundle/
"""

import importlib.util
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci_toolkit.console import printable
from ci_toolkit.errors import ForgeError, HostError, UnreadableError, UsageError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.models import ClientTrustConfig as Trust

# Who a token has to be for, before Sigstore takes it.
AUDIENCE: Final = "sigstore"
LIMIT_BYTES: Final = 1 << 20
_TRUST_BYTES: Final = 4 << 20
_SHOWN_CHARACTERS: Final = 300
# https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
_ISSUER: Final = "1.3.6.1.4.1.57264.1.1"
# What a service says that may say something else later.
_LATER: Final = frozenset((408, 425, 429, 500, 502, 503, 504))
_TOKEN_HINT: Final = (
    "Is it for the audience `sigstore`, still valid, and by an issuer that this Sigstore knows? GitHub: `permissions: "
    "id-token: write`; GitLab: `id_tokens: {SIGSTORE_ID_TOKEN: {aud: sigstore}}`."
)


class UnreachableError(ForgeError):
    """A service of Sigstore did not answer, or not yet: the same call may work later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who signs: a name such as the address of a workflow with its branch, as `issuer`, an address, has told it."""

    name: str
    issuer: str

    @property
    def told(self) -> str:
        return f"{self.name}, as {self.issuer} knows it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Who has to have signed, by the Sigstore that the file `trust` names; where that is None by the public one."""

    by: Identity
    trust: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A bundle, as JSON, and who it is by."""

    bundle: str
    by: Identity


def demand() -> None:
    """Raise HostError where the library is missing."""
    if importlib.util.find_spec("sigstore") is None:
        raise HostError(
            "Sigstore's library is not installed, which signs without a key and checks such signatures",
            hint='Run pip install "sigstore>=4,<5", where ci-toolkit is installed.',
        )


def trusted(file: Path | None) -> "Trust":
    """Return whom to trust, and which services to ask: what FILE says, else Sigstore's own public instance.

    That of the public instance is fetched, where it has changed, and kept in the user's directories. Raises HostError
    where the library is missing, UsageError for a FILE that is no ClientTrustConfig, UnreachableError.
    """
    demand()
    from sigstore.models import ClientTrustConfig

    if file is None:
        with _heard():
            try:
                return ClientTrustConfig.production()
            except Exception as error:  # the library wraps some of what its parts raise, and not all
                first = type(next(_chain(error))).__name__
                raise UnreachableError(
                    f"Sigstore's root of trust cannot be fetched: {_reason(error)} ({first})",
                    hint="Is the network there? A private instance is named by --trust-config.",
                ) from error
    with _of(file):
        with file.open("rb") as opened:
            content = opened.read(_TRUST_BYTES)
        found = ClientTrustConfig.from_json(content.decode("utf-8"))
        _ = found.trusted_root  # which is judged when it is asked for
        return found


def demand_services(file: Path) -> None:
    """Raise UsageError where FILE, a ClientTrustConfig, names no services that sign at this time; else as `trusted`."""
    found = trusted(file)
    with _of(file):
        _ = found.signing_config


@contextmanager
def _of(file: Path) -> Iterator[None]:
    """Turn what is wrong with the trust configuration FILE into a UsageError."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", hint="Name a ClientTrustConfig of Sigstore.") from error
    except Exception as error:  # of a file that says something else, each part of the library says it in its own way
        raise UsageError(
            f"{file} is no trust configuration of Sigstore: {_reason(error)}",
            hint="It is JSON of the type application/vnd.dev.sigstore.clienttrustconfig.v0.1+json.",
        ) from error


def sign(content: bytes, token: str, trust: "Trust") -> Signed:
    """Sign CONTENT for whom TOKEN says that we are, and verify the bundle as anybody would.

    Raises UnreachableError, after which it may be called again, and ForgeError where the token is not taken.
    """
    from sigstore.oidc import IdentityToken
    from sigstore.sign import SigningContext

    with _heard() as told, _understood(token, told):
        with SigningContext.from_trust_config(trust).signer(IdentityToken(token)) as signer:
            bundle = signer.sign_artifact(content)
        by = _by(bundle.signing_certificate)
        text = bundle.to_json()
    try:
        verify(content, text.encode(), by, trust)
    except UnreadableError as error:
        raise ForgeError("; ".join((f"what Sigstore signed does not verify: {error.message}", *told))) from error
    return Signed(bundle=text, by=by)


def verify(content: bytes, bundle: bytes, by: Identity, trust: "Trust") -> None:
    """See that BUNDLE, of at most LIMIT_BYTES, is a signature of CONTENT by exactly BY.

    Raises UnreadableError with why it is not.
    """
    from sigstore.errors import CertValidationError
    from sigstore.models import Bundle
    from sigstore.verify import Verifier, policy

    with _heard():
        try:
            # Two policies: the library leaves out an issuer that is "".
            expected = policy.AllOf([policy.Identity(identity=by.name), policy.OIDCIssuer(by.issuer)])
            Verifier(trusted_root=trust.trusted_root).verify_artifact(content, Bundle.from_json(bundle), expected)
        except CertValidationError as error:
            raise UnreadableError(
                "its certificate is by another Sigstore, or was not valid when it was used"
            ) from error
        except Exception as error:  # a stranger's bundle may be wrong in more ways than the library has names for
            raise UnreadableError(_reason(error)) from error


def _by(certificate: "Certificate") -> Identity:
    """Return who CERTIFICATE, of Fulcio, is for."""
    from cryptography.x509 import ObjectIdentifier, OtherName, SubjectAlternativeName, UnrecognizedExtension

    (name,) = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    issuer = certificate.extensions.get_extension_for_oid(ObjectIdentifier(_ISSUER)).value
    assert isinstance(issuer, UnrecognizedExtension)
    return Identity(
        name=name.value.decode() if isinstance(name, OtherName) else str(name.value), issuer=issuer.value.decode()
    )


@contextmanager
def _understood(token: str, told: Sequence[str]) -> Iterator[None]:
    """Turn what the library raises while it signs, and has TOLD before, into an error of ours; none repeats TOKEN."""
    from requests import ConnectionError as Broken
    from requests import HTTPError, Timeout
    from requests.exceptions import ChunkedEncodingError
    from sigstore.errors import Error
    from sigstore.oidc import ExpiredIdentity, IdentityError

    try:
        yield
    except Exception as error:  # most of what services say reaches us as bare exceptions of many modules
        chain = tuple(_chain(error))
        said = next((one.response for one in chain if isinstance(one, HTTPError) and one.response is not None), None)
        if any(isinstance(one, Broken | Timeout | ChunkedEncodingError) for one in chain):
            raise UnreachableError(
                f"Sigstore cannot be reached ({type(chain[0]).__name__})",
                hint="Is the network there, and the proxy right?",
            ) from None
        if any(isinstance(one, IdentityError | ExpiredIdentity) for one in chain):
            raise ForgeError(
                f"the token of this job is none for Sigstore: {_reason(error)}", hint=_TOKEN_HINT
            ) from None
        if said is None and told:  # it has gone on without a timestamp, and nothing else tells the time
            raise UnreachableError(f"Sigstore signs nothing: {_reason(error)}; {told[0]}") from None
        if said is None:
            known = isinstance(error, Error)
            raise ForgeError(
                f"{'Sigstore signs nothing' if known else 'the answers are not those of Sigstore'}: {_reason(error)}",
                hint="Is the trust configuration that of the services that it names?",
            ) from error
        text = _shown(said.text.replace(token, "***"))
        if said.status_code in _LATER:
            raise UnreachableError(f"Sigstore failed ({said.status_code}: {text})") from None
        raise ForgeError(f"Sigstore refuses ({said.status_code}: {text})", hint=_TOKEN_HINT) from None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield what lies behind ERROR, the outermost last."""
    if error is not None:
        yield from _chain(error.__cause__ or error.__context__)
        yield error


def _reason(error: Exception) -> str:
    return _shown(str(error) or type(error).__name__)


def _shown(text: str) -> str:
    return printable(" ".join(text.split()))[:_SHOWN_CHARACTERS]


class _Notebook(logging.Handler):
    """Keeps what the library warns of, which nobody has asked to see by itself."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(_shown(record.getMessage()))


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Yield the list to which each warning of the library goes; without a handler Python would print it."""
    notebook, loggers = _Notebook(), tuple(map(logging.getLogger, ("sigstore", "tuf")))
    for logger in loggers:
        logger.addHandler(notebook)
    try:
        yield notebook.lines
    finally:
        for logger in loggers:
            logger.removeHandler(notebook)
