"""Who vouches for a published file: a digest that the caller knows, or SHA256SUMS beside it, and who signed that."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.records import keyless, openpgp, sums
from ci_toolkit.records.published import Base

_SIGNATURE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """How a file is known to be the right one, in words; `by_anybody` tells that somebody outside vouches for it."""

    sentence: str
    by_anybody: bool


def vouch(
    base: Base,
    name: str,
    content: bytes,
    known: str | None,
    keys: Sequence[bytes],
    expected: keyless.Expected | None = None,
) -> Vouched:
    """Tell who vouches for CONTENT, the file NAME of BASE; KNOWN is the SHA-256 that the caller gave.

    Raises UnreadableError where it is another one, where KEYS were given and none of them has signed, and where
    somebody is EXPECTED to have signed by Sigstore and has not.
    """
    digest = hashlib.sha256(content).hexdigest()
    if known is not None and digest != known:
        raise UnreadableError(f"{base.name(name)} has the SHA-256 {digest}, not the one that was given")
    listed = base.read(sums.NAME, sums.LIMIT_BYTES)
    if listed is not None and sums.parse(listed).get(name, digest) != digest:
        raise UnreadableError(f"{base.name(name)} is not the file that {sums.NAME} lists", hint="Is it still uploaded?")
    in_sums = listed is not None and name in sums.parse(listed)
    if expected is not None:
        if listed is None or not in_sums:
            raise UnreadableError(f"{base.name(name)} is in no {sums.NAME}, which is what Sigstore signs")
        expect(base, listed, expected)
    if keys:
        signed_name, signed = (sums.NAME, listed) if in_sums and listed is not None else (name, content)
        signers = signers_of(base, signed_name, signed, keys)
        through = f"in {sums.NAME}, which is " if in_sums else ""
        return Vouched(sentence=f"{through}signed by {', '.join(sorted(signers))}", by_anybody=True)
    if expected is not None:
        return Vouched(sentence=f"in {sums.NAME}, which is signed by {expected.by.told}", by_anybody=True)
    if known is not None:
        return Vouched(sentence="the one whose SHA-256 was given", by_anybody=True)
    if in_sums:
        sentence = f"in {sums.NAME} beside it, whose signature neither --key nor --identity was given for"
        return Vouched(sentence=sentence, by_anybody=False)
    return Vouched(sentence="vouched for by nobody: give --sha256, --key or --identity", by_anybody=False)


def expect(base: Base, content: bytes, expected: keyless.Expected) -> None:
    """See that who is EXPECTED has signed CONTENT, the list of BASE, by Sigstore.

    Raises UnreadableError where not, and as keyless.trusted does.
    """
    bundle = base.read(sums.BUNDLE, keyless.LIMIT_BYTES)
    if bundle is None:
        raise UnreadableError(f"there is no {base.name(sums.BUNDLE)}", hint="Do without --identity, and trust it.")
    trust = keyless.trusted(expected.trust)
    try:
        keyless.verify(content, bundle, expected.by, trust)
    except UnreadableError as error:
        raise UnreadableError(f"the signature of {base.name(sums.NAME)} does not count: {error.message}") from error


def signers_of(base: Base, name: str, content: bytes, keys: Sequence[bytes]) -> frozenset[str]:
    """Return the fingerprints of those of KEYS that signed CONTENT, the file NAME of BASE, in the signature beside it.

    Raises UnreadableError where there is no signature, or none of them made it.
    """
    signature = signature_of(base, name)
    if signature is None:
        raise UnreadableError(f"{base.name(name)} has no signature beside it", hint="Do without --key, and trust it.")
    judged = openpgp.judge(content, signature, keys)
    if not judged.signers:
        raise UnreadableError(f"the signature of {base.name(name)} does not count: {judged.reason}")
    return judged.signers


def signature_of(base: Base, name: str) -> bytes | None:
    """Return the detached signature beside the file NAME of BASE; None where there is none."""
    for suffix in sums.SIGNATURES:
        found = base.read(f"{name}{suffix}", _SIGNATURE_BYTES)
        if found is not None:
            return found
    return None
