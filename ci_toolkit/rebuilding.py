"""Build an image again from its record alone, and say whether it came out the same.

The record, and what it names, are somebody else's: see records.accepted for what of it becomes a call of mkosi, and
records.checkout for how its commit is fetched. The definition's own scripts run where every definition's do.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ci_toolkit import pipeline
from ci_toolkit.compare import explain, walk
from ci_toolkit.compare.comparison import Verdict as Equality
from ci_toolkit.compare.facts import Facts
from ci_toolkit.console import Console, printable
from ci_toolkit.errors import UnreadableError, UsageError
from ci_toolkit.forges.patience import Patience
from ci_toolkit.mkosi import source
from ci_toolkit.records import (
    accepted,
    addresses,
    changes,
    checkout,
    digest,
    keyless,
    published,
    reading,
    stored,
    submodules,
    sums,
    vouching,
)
from ci_toolkit.records import verdict as verdicts
from ci_toolkit.records.published import Base
from ci_toolkit.records.record import NAME, Record, beside, is_record
from ci_toolkit.records.verdict import Platform, Verdict
from ci_toolkit.reports.report import Report
from ci_toolkit.runners import container
from ci_toolkit.runners.runner import Request
from ci_toolkit.site import Wishes

_CAUSES: Final = 20
_RECORDS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the caller asks for: the record at `where`, built as `wishes` say but for what the record decides.

    `sha256` is the record's digest as he knows it, `keys` are public keys, `expected` is who has signed by Sigstore;
    `source` is a repository to take the commit from; `arguments` for mkosi take the place of the record's own where
    they are not None.
    """

    where: str
    wishes: Wishes
    sha256: str | None = None
    keys: tuple[bytes, ...] = ()
    expected: keyless.Expected | None = None
    source: str | None = None
    arguments: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """The verdict, and where the published image could be had and differs, the report that explains the difference."""

    verdict: Verdict
    report: Report | None


def rebuild(asked: Asked, environ: Mapping[str, str], console: Console) -> Rebuilt:
    """Fetch the record, build what it names, and compare.

    Raises UnreadableError where the record or its commit cannot be had or is not what was vouched for, else as a build
    does.
    """
    with console.step("Record"):
        base, name, content = _fetch_record(asked.where, published.patient(console.say))
        vouched = vouching.vouch(base, name, content, asked.sha256, asked.keys, asked.expected)
        (console.say if vouched.by_anybody else console.warn)(f"The record is {vouched.sentence}")
        record = stored.parse(content)
        arguments = accepted.arguments(record, asked.arguments)
    with tempfile.TemporaryDirectory(prefix="ci-toolkit-rebuild-") as scratch:
        with console.step("Definition"):
            directory = _definition(record, asked, base, Path(scratch), environ)
        pinned, notes = _image(record, environ, Path(scratch), console)
        for note in notes:
            console.warn(note)
        wishes = replace(asked.wishes, directory=directory, profiles=record.image.profiles, mkosi_arguments=arguments)
        pipeline.build(wishes, pinned, console)
        ours = reading.load(wishes.output)
    return _judge(asked, base, name, content, vouched.sentence, record, ours, console)


def _fetch_record(where: str, patience: Patience) -> tuple[Base, str, bytes]:
    """Return the base, the name and the content of the record at WHERE, or of the only one in the release there."""
    base, name = published.split(where, NAME, patience)
    content = base.read(name, stored.LIMIT_BYTES)
    if content is None and name == NAME:
        listed = base.read(sums.NAME, sums.LIMIT_BYTES)
        names = [] if listed is None else sorted(filter(is_record, sums.parse(listed)))
        if len(names) > 1:
            shown = ", ".join(base.name(one) for one in names[:_RECORDS])
            raise UnreadableError(f"{printable(where)} has {len(names)} records", hint=f"Name one: {shown}")
        name = names[0] if names else name
        content = base.read(name, stored.LIMIT_BYTES)
    if content is None:
        raise UnreadableError(f"there is no {base.name(name)}", hint=f"Name a {NAME}, or where one lies.")
    return base, name, content


def _definition(record: Record, asked: Asked, base: Base, scratch: Path, environ: Mapping[str, str]) -> Path:
    """Return the directory that holds the mkosi.conf of RECORD, whose files are those that were built then."""
    target = scratch / "checkout"
    target.mkdir()
    # Who asks this machine for the record may ask it for the commit as well.
    loopback = base.is_remote and addresses.is_loopback(base.where)
    directory = checkout.check_out(record, asked.source, target, environ, loopback=loopback)
    if record.origin.commit is not None and not directory.resolve().is_relative_to(target.resolve()):
        raise UnreadableError("the definition leads out of its repository", hint="It cannot be built.")
    files = _digest(directory, scratch / "copy", asked)
    count = 0
    if files != record.origin.digest and record.origin.commit is not None and not record.origin.dirty:
        # Not before: in a checkout that had none of them they are no part of the definition.
        where = checkout.place(record, asked.source, loopback=loopback)
        count = submodules.check_out(target, where, environ)
        files = _digest(directory, scratch / "copy", asked) if count else files
    if files != record.origin.digest:
        why = f"also with its {count} submodules" if count else "its files are others, and it has no submodules"
        if record.origin.dirty:
            why = "it was built from a work tree with changes"
        raise UnreadableError(
            f"the definition here is not the one of the record: {why}", hint="Name the files with --source."
        )
    return directory


def _digest(directory: Path, copy: Path, asked: Asked) -> str:
    """Return the digest of the definition in DIRECTORY, which is copied to COPY as it is for a build."""
    shutil.rmtree(copy, ignore_errors=True)
    found = source.find(directory)
    source.copy(found, copy, epoch=found.epoch, leave_out=(asked.wishes.output.resolve(),))
    return digest.definition(copy)[0]


def _image(
    record: Record, environ: Mapping[str, str], scratch: Path, console: Console
) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """Return ENVIRON with the record's container image in it, and what a reader has to know of another one.

    Of what somebody else names only the toolkit's own image is pulled; any that is here already may be used.
    """
    wanted = record.toolkit_image
    if wanted is None:
        return environ, ()
    home = container.PUBLISHED_IMAGE.rpartition(":")[0]
    ours = [name for name in wanted.digests if name.startswith(f"{home}@")]
    place = scratch / "engine"
    (place / "scratch").mkdir(parents=True)
    request = Request(
        scratch=place / "scratch", packages=place, console=console, environ=environ, rescue=lambda log: log
    )
    chosen = container.held((wanted.id, *wanted.digests), request) or next(iter(ours), None)
    if chosen is not None:
        return {**environ, "CI_TOOLKIT_IMAGE": chosen}, ()
    note = f"The container image of the record, {wanted.id[:19]}, is not here: it is built in another one"
    return environ, (note,)


def _judge(
    asked: Asked,
    base: Base,
    name: str,
    content: bytes,
    vouched: str,
    record: Record,
    ours: Record,
    console: Console,
) -> Rebuilt:
    same = verdicts.same(record, ours)
    others = changes.between(record, ours)
    report, causes = None, tuple[str, ...]()
    if not same:
        with console.step("Comparison"):
            report, causes = _explain(base, name, record, asked.wishes.output, console)
    verdict = Verdict(
        same=same,
        record=hashlib.sha256(content).hexdigest(),
        vouched=vouched,
        image=record.main,
        repository=record.origin.repository,
        commit=record.origin.commit,
        outputs=verdicts.outputs(record.outputs, ours.outputs),
        because=() if same else (*causes, *others),
        though=others if same else (),
        platform=Platform(
            machine=os.uname().machine,
            runner=ours.runner,
            toolkit=ours.toolkit,
            container_image=None if ours.toolkit_image is None else ours.toolkit_image.id,
            place=ours.varying.place,
        ),
        rebuilt_at=int(time.time()),
    )
    return Rebuilt(verdict=verdict, report=report)


def _explain(
    base: Base, name: str, record: Record, output: Path, console: Console
) -> tuple[Report | None, tuple[str, ...]]:
    """Compare the first file that differs with the published one, which may not be there; return what was found."""
    rebuilt = reading.load(output)
    here = {one.name: one.sha256 for one in rebuilt.outputs}
    theirs = next((one for one in record.outputs if one.name in here and here[one.name] != one.sha256), None)
    if theirs is None:
        return None, ("there are other files",)
    with tempfile.TemporaryDirectory(prefix=".published-", dir=output.resolve().parent) as place:
        target = Path(place) / Path(theirs.name).name
        try:
            found = _fetch(base, beside(name, theirs.name), theirs.size, target)
        except UnreadableError as error:
            console.warn(f"The published image is not compared: {error.message}")
            return None, ()
        if found is None:
            console.say(f"The published {printable(theirs.name)} is not there, so that nothing is compared with it")
            return None, ()
        if found != theirs.sha256:
            return None, (f"the published {printable(theirs.name)} is not what the record says",)
        comparison = walk.compare(target, output / theirs.name)
    findings = explain.explain(comparison.differences, Facts())
    report = Report(
        title=theirs.name,
        verdict=Equality.DIFFERENT,
        comparison=comparison,
        findings=findings,
        explained_bytes=explain.explained_bytes(findings),
    )
    return report, tuple(printable(finding.title) for finding in findings[:_CAUSES])


def _fetch(base: Base, names: tuple[str, ...], size: int, target: Path) -> str | None:
    """Fetch the first of NAMES that is there, SIZE bytes, to TARGET, and return its SHA-256; None where none is."""
    for name in names:
        content = hashlib.sha256()
        with base.pieces(name, size) as pieces, target.open("wb") as file:
            if pieces is None:
                continue
            for piece in pieces:
                content.update(piece)
                file.write(piece)
        return content.hexdigest()
    return None


def check(where: str) -> None:
    """Raise UsageError where WHERE, as --sha256 gives it, is no digest."""
    if len(where) != 64 or set(where) - set("0123456789abcdef"):
        raise UsageError(f"--sha256 {where!r} is no SHA-256", hint="It is 64 digits and small letters from a to f.")
