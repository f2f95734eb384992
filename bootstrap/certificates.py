"""Tell the certificates that this machine trusts beyond Debian's own."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

SYSTEM_BUNDLE: Final = "etc/ssl/certs/ca-certificates.crt"
_STOCK: Final = "usr/share/ca-certificates"
# Variables by which programs are told of another bundle.
_VARIABLES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO")
_BLOCK: Final = re.compile(r"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END CERTIFICATE-----")


def split(bundle: str) -> tuple[str, ...]:
    """Return the certificates of a PEM BUNDLE, each in one normal form, each once."""
    return tuple(dict.fromkeys(_normal(body) for body in _BLOCK.findall(bundle)))


def beyond(bundle: Iterable[str], stock: Iterable[str]) -> tuple[str, ...]:
    """Return the certificates of BUNDLE that are not in STOCK."""
    known = set(stock)
    return tuple(certificate for certificate in bundle if certificate not in known)


def trusted(environ: Mapping[str, str], more: Iterable[str] = (), root: Path = Path("/")) -> tuple[str, ...]:
    """Return all certificates that the machine at ROOT trusts, with those of the bundles that ENVIRON and MORE name."""
    named = [Path(environ[name]) for name in _VARIABLES if environ.get(name)] + [Path(path) for path in more]
    texts = (_read(path) for path in (root / SYSTEM_BUNDLE, *dict.fromkeys(named)))
    return tuple(dict.fromkeys(certificate for text in texts for certificate in split(text)))


def stock(root: Path = Path("/")) -> tuple[str, ...]:
    """Return the certificates that Debian's package ca-certificates brings."""
    return tuple(certificate for path in sorted((root / _STOCK).rglob("*.crt")) for certificate in split(_read(path)))


def _normal(body: str) -> str:
    letters = "".join(body.split())
    lines = [letters[start : start + 64] for start in range(0, len(letters), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
