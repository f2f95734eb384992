"""Addresses that may stand in a record: without who asks, and only of kinds that anybody can ask."""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit, urlunsplit

_CHARACTERS: Final = 2000
_PLAIN: Final = re.compile(r"[!-~]+")
# git@example.org:owner/name, as git takes it for ssh.
_SCP: Final = re.compile(r"(?:[^@/\s]+@)?([A-Za-z0-9.-]+):(?!//)(\S+)")
_ADDRESS: Final = re.compile(r"\b([a-z][a-z0-9+.-]*)://[^\s/@]*@", re.IGNORECASE)


def cloned(address: str) -> str | None:
    """Return what anybody clones the repository from for which git knows ADDRESS; None for a path of this machine.

    What is fetched by ssh is had by https from the same host: a record names no user and no password.
    """
    address = address.strip()
    found = _SCP.fullmatch(address)
    if found is not None:
        address = f"ssh://{found[1]}/{found[2].lstrip('/')}"
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("https", "http", "ssh", "git") or not host:
        return None
    scheme = "https" if parts.scheme in ("ssh", "git") else parts.scheme
    named = f"[{host}]" if ":" in host else host
    place = named if port is None or scheme != parts.scheme else f"{named}:{port}"
    return urlunsplit((scheme, place, parts.path, "", ""))


def without_user(text: str) -> str:
    """Return TEXT with the user and password taken out of every address in it."""
    return _ADDRESS.sub(r"\1://", text)


def may_fetch(address: str) -> str | None:
    """Return why nothing is fetched from ADDRESS; None where it may be: https, or http from this machine itself."""
    if len(address) > _CHARACTERS or not _PLAIN.fullmatch(address):
        return "it is no address"
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return "it is no address"
    if not parts.hostname:
        return "it names no host"
    if parts.username is not None or parts.password is not None:
        return "it holds a user or a password"
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(address)):
        return None
    return "only https is taken, and http from this machine itself"


def is_loopback(address: str) -> bool:
    """Tell whether ADDRESS is of this machine itself."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_address(text: str) -> bool:
    """Tell whether TEXT is an address and no path."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None
