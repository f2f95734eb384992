"""The signatures of a release, all of its list of checksums: by OpenPGP with a key, by Sigstore without one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ci_toolkit.errors import ForgeError
from ci_toolkit.forges.forge import BusyError
from ci_toolkit.forges.patience import Patience
from ci_toolkit.publish import checksums, credential, files
from ci_toolkit.publish.credential import Credential
from ci_toolkit.publish.files import File
from ci_toolkit.records import keyless, openpgp
from ci_toolkit.records.openpgp import Key

# For one attempt: the library waits for its services without end.
_ATTEMPT_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyless:
    """How Sigstore signs: who we are, and the file that names an instance other than the public one."""

    credential: Credential
    trust: Path | None
    patience: Patience


def keyless_of(environ: Mapping[str, str], trust: Path | None, patience: Patience) -> Keyless:
    """Return how to sign by Sigstore in ENVIRON. What can be known now is told now, not when all is built.

    Raises HostError where the library is missing, UsageError for no token and for a TRUST that is no configuration.
    """
    keyless.demand()
    if trust is not None:
        keyless.demand_services(trust)
    return Keyless(credential=credential.find(environ), trust=trust, patience=patience)


def signed(directory: Path, key: Key, say: Callable[[str], None]) -> File:
    """Sign the list of checksums in DIRECTORY, and return the signature as a file of the release.

    Raises as openpgp.sign does, and OSError.
    """
    made = openpgp.sign((directory / checksums.NAME).read_bytes(), key)
    file = _written(directory / checksums.SIGNATURE, made.armoured)
    say(f"Signed by {made.signer}")
    return file


def signed_keyless(directory: Path, how: Keyless, say: Callable[[str], None]) -> tuple[File, keyless.Identity]:
    """Sign the list of checksums in DIRECTORY by Sigstore; return the bundle, a file of the release, and who it is by.

    Sigstore is asked again while it cannot be reached, for a new certificate each time: of one that was not used
    nothing is left but a line in a log. Raises ForgeError, UsageError, OSError.
    """
    content = (directory / checksums.NAME).read_bytes()
    quick = replace(how.patience, end_seconds=min(_ATTEMPT_SECONDS, how.patience.end_seconds))

    def attempt() -> keyless.Signed:
        try:
            token = how.credential.token(how.patience)
            return quick.bounded(lambda: keyless.sign(content, token, keyless.trusted(how.trust)))
        except keyless.UnreachableError as error:
            raise BusyError(error.message, hint=error.hint) from error

    try:
        made = how.patience.bounded(lambda: how.patience.through(attempt))
    except BusyError as error:
        raise ForgeError(f"{error.message}: nothing is signed", hint=error.hint or "Run it again.") from error
    file = _written(directory / checksums.BUNDLE, made.bundle)
    say(f"Signed by {made.by.told}")
    return file, made.by


def _written(target: Path, text: str) -> File:
    temporary = target.with_name(f".{target.name}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(target)
    return files.file(target, target.name)
