"""What can go wrong in the set-up, said in one sentence with a next step."""

import re
from typing import Final


class SetupError(Exception):
    """The set-up cannot go on: `message` says what happened, `hint` what to do."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class RefusedError(SetupError):
    """The set-up could not begin, and the sentence says all there is to know: the log would only hide it."""


NO_SPACE: Final = (
    "Free some space and call it again: the image takes about 6 GB while it is built, the tests 10 GB more."
)

# What programs write when the machine is the reason, most specific first.
_HINTS: Final = (
    (r"no space left on device", NO_SPACE),
    (r"is expired \(invalid since", "The mirror's release lists are too old; refresh the mirror."),
    (r"is not valid yet", "The clock of this machine is wrong; set it."),
    (r"NO_PUBKEY|unknown key|no public key", "The keyring is too old: apt-get install debian-archive-keyring."),
    (
        r"certificate verif|certificate_verify|unknown authority|self.signed",
        "A certificate of this network is missing.",
    ),
    (r"407|proxy authentication", "The proxy asks for a password; put it into the proxy variables."),
    (
        r"could not resolve|name resolution|no such host|network is unreachable|connection refused|could not connect"
        r"|connection timed out|read timed out|i/o timeout|failed to establish a new connection",
        "Is there a network? A proxy is taken from http_proxy and https_proxy, a mirror from apt's sources, "
        "an index from pip's configuration.",
    ),
    (r"could not get lock|dpkg frontend lock", "Another apt is at work; wait for it."),
)


def diagnose(output: str) -> str | None:
    """Return the next step for a program that ended with OUTPUT, None where nothing in it is known."""
    for pattern, hint in _HINTS:
        if re.search(pattern, output, re.IGNORECASE):
            return hint
    return None


def says_expired(output: str) -> bool:
    """Tell whether apt's OUTPUT refuses release lists for their age alone."""
    return bool(re.search(r"^E: Release file for \S+ is expired \(invalid since", output, re.MULTILINE))
