"""The proxy variables, and what they mean for a container."""

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

NAMES: Final = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")


def proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the proxy variables of ENVIRON under their lower-case names; lower case wins, as in most programs."""
    found = {name: environ.get(name) or environ.get(name.upper()) or "" for name in NAMES}
    return {name: value for name, value in found.items() if value}


def both_cases(found: Mapping[str, str]) -> dict[str, str]:
    """Return the variables FOUND under both of their names, since programs disagree on which they read."""
    return {spelling: value for name, value in found.items() for spelling in (name, name.upper())}


def on_this_machine(addresses: Iterable[str]) -> bool:
    """Tell whether one of ADDRESSES is this machine itself, which a container sees only in the host's network."""
    return any(_host(address) in ("localhost", "::1") or _host(address).startswith("127.") for address in addresses)


def _host(address: str) -> str:
    try:
        return urlsplit(address if "://" in address else f"http://{address}").hostname or ""
    except ValueError:
        return ""
