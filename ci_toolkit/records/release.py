"""Check a published release from the outside: its list of digests, who signed that, every file, and who rebuilt it.

A release is a directory with SHA256SUMS and the files that it lists, among them the record of each image. Verdicts come
later, and from others: `verdicts.txt` beside SHA256SUMS names them, a name or an address on each line. A verdict counts
where its signature is by a key that we were given, its digests are those of the record, and the record, by its SHA-256,
is in the release.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ci_toolkit.console import printable
from ci_toolkit.errors import UnreadableError
from ci_toolkit.forges.patience import Patience
from ci_toolkit.records import addresses, keyless, openpgp, published, stored, sums, vouching
from ci_toolkit.records import verdict as verdicts
from ci_toolkit.records.published import Base
from ci_toolkit.records.record import NAME, Record, beside, is_record
from ci_toolkit.records.verdict import Verdict

INDEX: Final = "verdicts.txt"
_INDEX_BYTES: Final = 64 << 10
_VERDICTS: Final = 100
# Larger than any image; a server that never stops sending has to be stopped.
_FILE_BYTES: Final = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at: what, whether it is as it should be, and what was found."""

    what: str
    good: bool
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the caller wants: QUORUM verdicts of each image by different keys of `rebuilders`.

    `keys` are those that may sign the release, and `expected` is who has to have signed it by Sigstore; `verdicts` are
    names of more verdicts, addresses or paths.
    """

    where: str
    keys: tuple[bytes, ...] = ()
    expected: keyless.Expected | None = None
    rebuilders: tuple[bytes, ...] = ()
    verdicts: tuple[str, ...] = ()
    quorum: int = 0
    patience: Patience = published.ONCE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A verdict and the keys that signed it, or why it does not count."""

    name: str
    verdict: Verdict | None = None
    signers: frozenset[str] = field(default_factory=frozenset)
    refused: str = ""


def check(asked: Asked, progress: Callable[[str], None]) -> tuple[Check, ...]:
    """Look at the release, and return what was found, in the order of the table; PROGRESS hears each file's name.

    Raises UnreadableError where there is no release, and as keyless.trusted does.
    """
    base = published.directory(asked.where, asked.patience)
    content = base.read(sums.NAME, sums.LIMIT_BYTES)
    if content is None:
        raise UnreadableError(f"there is no {base.name(sums.NAME)}", hint="Name the directory or address of a release.")
    listed = sums.parse(content)
    checks = [Check(what=sums.NAME, good=True, found=f"{len(listed)} files"), _signature(base, content, asked.keys)]
    checks += _bundle(base, content, asked.expected)
    for name, digest in sorted(listed.items()):
        progress(printable(name))
        checks.append(_file(base, name, digest))
    checks += _verdicts(base, listed, asked)
    return tuple(checks)


def _signature(base: Base, content: bytes, keys: Sequence[bytes]) -> Check:
    what = "signature"
    if not keys:
        signed = vouching.signature_of(base, sums.NAME) is not None
        state = "there is one, and no --key to check it by" if signed else "there is none, and no --key was given"
        return Check(what=what, good=True, found=f"not checked: {state}")
    try:
        signers = vouching.signers_of(base, sums.NAME, content, keys)
    except UnreadableError as error:
        return Check(what=what, good=False, found=error.message)
    return Check(what=what, good=True, found=f"by {', '.join(sorted(signers))}")


def _bundle(base: Base, content: bytes, expected: keyless.Expected | None) -> Iterator[Check]:
    """Check who signed CONTENT by Sigstore; where nobody asked, tell that somebody has."""
    what = "signature by Sigstore"
    try:
        if expected is not None:
            vouching.expect(base, content, expected)
            yield Check(what=what, good=True, found=printable(f"by {expected.by.told}"))
        elif base.read(sums.BUNDLE, keyless.LIMIT_BYTES) is not None:
            state = "there is one, and no --identity and --issuer to check it by"
            yield Check(what=what, good=True, found=f"not checked: {state}")
    except UnreadableError as error:
        yield Check(what=what, good=expected is None, found=error.message)


def _file(base: Base, name: str, digest: str) -> Check:
    """Check the file NAME, which is never held as a whole."""
    sum_, size = hashlib.sha256(), 0
    try:
        with base.pieces(name, _FILE_BYTES) as pieces:
            if pieces is None:
                return Check(what=printable(name), good=False, found="is not there")
            for piece in pieces:
                sum_.update(piece)
                size += len(piece)
    except UnreadableError as error:
        return Check(what=printable(name), good=False, found=error.message)
    if sum_.hexdigest() != digest:
        return Check(what=printable(name), good=False, found=f"has another SHA-256: {sum_.hexdigest()}")
    return Check(what=printable(name), good=True, found=f"{digest[:16]}…, {size:,} bytes")


def _verdicts(base: Base, listed: Mapping[str, str], asked: Asked) -> Iterator[Check]:
    names = [name for name in sorted(listed) if is_record(name)]
    records: dict[str, tuple[str, Record]] = {}
    for name in names:
        try:
            content = base.read(name, stored.LIMIT_BYTES) or b""
            record = stored.parse(content)
        except UnreadableError as error:
            yield Check(what=printable(name), good=False, found=error.message)
            continue
        records[hashlib.sha256(content).hexdigest()] = name, record
        yield from _agrees(name, record, listed)
    if asked.quorum and not names:
        yield Check(what="verdicts", good=False, found=f"there is no {NAME} that a verdict could be about")
    found = [_read(base, name, asked.rebuilders) for name in _named(base)]
    found += [_read(*published.split(name, verdicts.NAME, asked.patience), asked.rebuilders) for name in asked.verdicts]
    for sum_, (name, record) in records.items():
        if asked.quorum or found:
            yield _quorum(name, sum_, record, found, asked)
    for one in found:
        about = one.verdict is not None and one.verdict.record in records
        if one.refused or not about:
            yield Check(
                what=one.name, good=not asked.quorum, found=f"does not count: {one.refused or 'of another record'}"
            )


def _agrees(name: str, record: Record, listed: Mapping[str, str]) -> Iterator[Check]:
    """Tell of each file that the record and SHA256SUMS know by two digests."""
    for output in record.outputs:
        known = [listed[there] for there in beside(name, output.name) if there in listed]
        if known and known[0] != output.sha256:
            yield Check(what=printable(name), good=False, found=f"has another SHA-256 for {printable(output.name)}")


def _quorum(name: str, sum_: str, record: Record, found: Sequence[_Found], asked: Asked) -> Check:
    """Count the keys behind verdicts of the record with the SHA-256 SUM_; each counts once, whatever it says twice."""
    same: set[str] = set()
    different: set[str] = set()
    digests = {one.name: one.sha256 for one in record.outputs}
    for one in found:
        if one.verdict is None or one.verdict.record != sum_:
            continue
        claimed = {output.name: output.rebuilt for output in one.verdict.outputs}
        (same if one.verdict.same and claimed == digests else different).update(one.signers)
    same -= different
    told = (
        f"{len(same)} of {asked.quorum} rebuilt the same bits" if asked.quorum else f"{len(same)} rebuilt the same bits"
    )
    against = f"; {len(different)} rebuilt others: {', '.join(sorted(different))}" if different else ""
    shown = f" ({', '.join(sorted(same))})" if same else ""
    good = len(same) >= asked.quorum and not different
    return Check(
        what=f"verdicts on {printable(record.title)}, {printable(name)}", good=good, found=f"{told}{shown}{against}"
    )


def _named(base: Base) -> tuple[str, ...]:
    """Return the names and addresses that INDEX lists. Raises UnreadableError for too many."""
    content = base.read(INDEX, _INDEX_BYTES)
    lines = [] if content is None else content.decode("utf-8", "replace").splitlines()
    names = tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
    if len(names) > _VERDICTS:
        raise UnreadableError(f"{base.name(INDEX)} lists more than {_VERDICTS} verdicts")
    return names


def _read(base: Base, name: str, rebuilders: Sequence[bytes]) -> _Found:
    """Read the verdict NAME of BASE and see who signed it."""
    shown = f"verdict {base.name(name) if not addresses.is_address(name) else printable(name)}"
    if not addresses.is_address(name) and (name.startswith("/") or ".." in name.split("/")):
        return _Found(name=shown, refused="it is not below the release")
    try:
        content = base.read(name, verdicts.LIMIT_BYTES)
        if content is None:
            return _Found(name=shown, refused="it is not there")
        verdict = verdicts.parse(content)
        signature = vouching.signature_of(base, name)
    except UnreadableError as error:
        return _Found(name=shown, refused=error.message)
    if signature is None:
        return _Found(name=shown, verdict=verdict, refused="nobody signed it")
    if not rebuilders:
        return _Found(name=shown, verdict=verdict, refused="no --rebuilder-key was given to check it by")
    judged = openpgp.judge(content, signature, rebuilders)
    return _Found(name=shown, verdict=verdict, signers=judged.signers, refused=judged.reason)
