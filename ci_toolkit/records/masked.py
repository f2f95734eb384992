"""A command line without what nobody else may know."""

import re
from collections.abc import Mapping
from typing import Final

from ci_toolkit.records import addresses

MASK: Final = "***"
# Options of mkosi whose value is a secret, or may hold one.
_SECRET: Final = frozenset(
    ("--root-password", "--passphrase", "--credential", "--secure-boot-key", "--verity-key", "--sign-expected-pcr-key")
)
# NAME=value: the name stays, and tells whether the value may.
_ASSIGNED: Final = frozenset(("--environment", "-E", "--credential"))
_TELLING: Final = re.compile(r"TOKEN|PASS|PWD|SECRET|PRIVATE|CREDENTIAL|KEY|AUTH|(?:^|_)PAT(?:_|$)", re.IGNORECASE)
# As _TELLING would have them, but everybody's.
_HARMLESS: Final = re.compile(r"(?:^|_)PATH(?:_|$)|KEYRING|KEYMAP", re.IGNORECASE)
# Shorter ones would be found in words that have nothing to do with them.
_SHORTEST: Final = 6


def arguments(words: tuple[str, ...], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return WORDS, a command line, with secrets as ***.

    Secrets are the values of secret options, users and passwords in addresses, and the values of variables, those that
    are handed to the build and those of ENVIRON, whose names tell that they are.
    """
    known = {value for name, value in environ.items() if _tells(name) and len(value.strip()) >= _SHORTEST}
    shown, option = [], ""
    for word in words:
        if option:
            shown.append(_value(option, word))
            option = ""
        elif word.startswith("-") and "=" in word:
            name, value = word.split("=", 1)
            shown.append(f"{name}={_value(name, value)}")
        else:
            option = word if word in _SECRET | _ASSIGNED else ""
            shown.append(word)
    return tuple(addresses.without_user(_mask(word, known)) for word in shown)


def _value(option: str, value: str) -> str:
    name, assigned, _ = value.partition("=")
    if option in _ASSIGNED and assigned:
        return f"{name}={MASK}" if option in _SECRET or _tells(name) else value
    return MASK if option in _SECRET else value


def _tells(name: str) -> bool:
    return _TELLING.search(name) is not None and _HARMLESS.search(name) is None


def _mask(word: str, known: set[str]) -> str:
    for secret in sorted(known, key=len, reverse=True):
        word = word.replace(secret.strip(), MASK)
    return word
