"""The whole of a release, step by step. It promotes what was verified, and builds nothing again to publish it."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Final

from ci_toolkit.compare.comparison import Verdict
from ci_toolkit.console import Console
from ci_toolkit.errors import ForgeError, UnreadableError, UsageError
from ci_toolkit.formats import convert
from ci_toolkit.formats.table import Format
from ci_toolkit.publish import deliver, prune, signing
from ci_toolkit.publish.files import Release
from ci_toolkit.publish.signing import Keyless
from ci_toolkit.publish.target import Target
from ci_toolkit.records.keyless import Expected
from ci_toolkit.records.openpgp import Key
from ci_toolkit.releases import contents, past, plan, schedule
from ci_toolkit.releases import version as versions
from ci_toolkit.releases.advisories import section
from ci_toolkit.releases.contents import Contents
from ci_toolkit.releases.past import Past
from ci_toolkit.releases.plan import Kind, Step
from ci_toolkit.releases.retention import Policy
from ci_toolkit.releases.schedule import Due
from ci_toolkit.releasing import advisories, ahead, collect, state
from ci_toolkit.releasing.advisories import Imaged
from ci_toolkit.releasing.state import Built, Call, State
from ci_toolkit.reports import json as json_report
from ci_toolkit.reports.report import Report

_BUILDS: Final = "builds"
_FILES: Final = "files"
_BOOTS: Final = "boot"
NOTES: Final = "notes.md"
# What a job of GitLab leaves there for later ones.
_HANDED_ON: Final = "ci-toolkit.env"

# Builds the image of that name twice into the directory, and compares.
Build = Callable[[str, Path], Report]
# Starts the image in that file, leaves what was seen in the directory, and tells whether all was well.
Start = Callable[[Path, Path], bool]


class Ending(StrEnum):
    """How it ended."""

    RELEASED = "released"
    NOT_DUE = "not due"
    PLANNED = "planned"
    DIFFERENT = "different"
    NOT_STARTED = "not started"
    MEANWHILE = "released meanwhile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How it ended, in a sentence or a list, where the release is, and what it is, or would be, called.

    `security` is a line about what it fixes.
    """

    ending: Ending
    text: str
    places: tuple[str, ...] = ()
    security: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for. `images` are names; `run` is the number of the pipeline; `weeks` and `by` are the rhythm.

    `firmware` is what each image has to start with, once it is built.

    `advisories` are the files and addresses of what security trackers hand out, for the notes.

    `base` is the address at which the version's directory will be for those who download, "" where it is not known.
    """

    images: tuple[str, ...]
    formats: tuple[Format, ...]
    output: Path
    day: date
    firmware: tuple[str, ...] = ()
    scheme: str = versions.SCHEMES[0]
    run: int = 0
    weeks: int = 2
    by: str = "week"
    force: bool = False
    resume: bool = False
    dry: bool = False
    policy: Policy = field(default_factory=Policy)
    key: Key | None = None
    keyless: Keyless | None = None
    commit: str | None = None
    base: str = ""
    advisories: tuple[str, ...] = ()

    def call(self, targets: Sequence[Target]) -> Call:
        return Call(
            images=self.images,
            formats=tuple(one.name for one in self.formats),
            firmware=self.firmware,
            targets=tuple(target.name for target in targets),
            signs=self.key is not None,
            advises=bool(self.advisories),
            sigstore=self.keyless is not None,
        )

    def due(self, last: Past | None) -> Due:
        """Tell whether a release is due after the LAST one."""
        day = None if last is None else last.day
        return schedule.due(day, self.day, weeks=self.weeks, by=self.by, force=self.force)

    def steps(self, targets: Sequence[Target]) -> tuple[Step, ...]:
        call = self.call(targets)
        return plan.steps(
            call.images,
            call.formats,
            call.targets,
            firmware=call.firmware,
            advises=call.advises,
            signs=call.signs,
            sigstore=call.sigstore,
            prunes=not self.policy.keeps_all,
        )


def run(wanted: Wanted, targets: Sequence[Target], build: Build, start: Start, console: Console) -> Outcome:
    """Make the release that is WANTED, where it is due, on TARGETS; its images are made by BUILD and tried by START.

    Raises UsageError where it cannot go on with what another call has begun, and the errors of each step.
    """
    if wanted.dry:
        return _planned(wanted, targets, console)
    with state.locked(wanted.output):
        found = _resumed(wanted, targets)
        if found is None:
            last = _last(targets)
            due = wanted.due(last)
            console.say(due.reason)
            if not due.due:
                return Outcome(ending=Ending.NOT_DUE, text=due.reason)
            for sentence in _foreseen(wanted, targets, console):
                console.warn(sentence)
            found = _begun(wanted, targets)
        console.say(f"Release {found.version}")
        return _Release(wanted=wanted, targets=targets, build=build, start=start, console=console, state=found).go_on()


def _planned(wanted: Wanted, targets: Sequence[Target], console: Console) -> Outcome:
    """Return what would be done. Nothing is written."""
    last = _last(targets)
    due = wanted.due(last)
    if not due.due:
        return Outcome(ending=Ending.NOT_DUE, text=due.reason)
    version = versions.make(wanted.scheme, wanted.day, wanted.run)
    lines = [due.reason, f"version {version}", *_foreseen(wanted, targets, console)]
    lines += [f"{number}. {step.told}" for number, step in enumerate(wanted.steps(targets), 1)]
    if not wanted.policy.keeps_all:
        lines += [
            f"{target.name}: {decision}"
            for target in targets
            for decision in prune.decide(target, wanted.policy, wanted.day)
        ]
    return Outcome(ending=Ending.PLANNED, text="\n".join(lines), version=version)


def _foreseen(wanted: Wanted, targets: Sequence[Target], console: Console) -> tuple[str, ...]:
    """Return what may keep the release from being published. Raises UsageError where something surely will."""
    if not wanted.force:
        ahead.check(wanted.call(targets), targets)
    if all(target.limit is None for target in targets):
        return ()
    version = versions.make(wanted.scheme, wanted.day, wanted.run)
    known = (ahead.earlier(wanted.output / _FILES), _held(targets, version, console))
    last = max((one for one in known if one is not None), key=lambda one: versions.order(one.version), default=None)
    if last is None:
        return ()
    memories = ahead.remembered(last, wanted.images, wanted.formats)
    return ahead.compared(memories, targets, force=wanted.force)


def _held(targets: Sequence[Target], version: str, console: Console) -> Contents | None:
    """Return what the release before VERSION held, from the first target that can tell."""
    for target in targets:
        try:
            last = past.newest(tuple(one for one in target.releases() if one.version != version))
            data = None if last is None else target.read(last.version, contents.NAME, contents.LIMIT_BYTES)
            if data is not None:
                return contents.parse(data)
        except (ForgeError, UnreadableError) as error:
            console.warn(f"what the last release held is not known: {error.message}", hint=error.hint)
    return None


def _last(targets: Sequence[Target]) -> Past | None:
    """Return the newest release on any of TARGETS."""
    return past.newest(tuple(one for target in targets for one in target.releases()))


def _resumed(wanted: Wanted, targets: Sequence[Target]) -> State | None:
    """Return what an earlier run has begun and not finished; None where there is nothing of that kind."""
    found = state.load(wanted.output)
    if found is None or found.finished:
        return None
    if not wanted.resume:
        raise UsageError(
            f"{wanted.output} holds the release {found.version}, which is not finished",
            hint="Go on with it (--resume), or remove the directory.",
        )
    if found.call != wanted.call(targets):
        raise UsageError(
            f"{wanted.output} holds the release {found.version} of another call",
            hint="Go on with the same images, formats, firmware, targets and signatures, and with advisories where they"
            " were asked for, or remove the directory.",
        )
    return found


def _begun(wanted: Wanted, targets: Sequence[Target]) -> State:
    """Make the output ready for a new release, and write down what it is."""
    ours = {state.NAME, f".{state.NAME}", _BUILDS, _BOOTS, _FILES, f".{_FILES}", NOTES, _HANDED_ON}
    strange = [path.name for path in wanted.output.iterdir() if path.name not in ours]
    if strange:
        raise UsageError(
            f"{wanted.output} holds files that are not ours ({strange[0]})", hint="Name an empty or new --output."
        )
    for name in (_BUILDS, _BOOTS, _FILES):
        shutil.rmtree(wanted.output / name, ignore_errors=True)
    begun = State(
        call=wanted.call(targets),
        version=versions.make(wanted.scheme, wanted.day, wanted.run),
        day=wanted.day.isoformat(),
        commit=wanted.commit,
    )
    state.save(begun, wanted.output)
    return begun


@dataclass(frozen=True, kw_only=True)
class _Release:
    """A release under way."""

    wanted: Wanted
    targets: Sequence[Target]
    build: Build
    start: Start
    console: Console
    state: State

    def go_on(self) -> Outcome:
        """Do the steps that are left."""
        places = []
        for step in plan.remaining(self.wanted.steps(self.targets), self.state.done):
            folded = step.kind not in (
                Kind.BUILD,
                Kind.CONVERT,
                Kind.BOOT,
            )  # those fold themselves, and folds do not nest
            with self.console.step(step.told) if folded else nullcontext():
                ended = self._do(step)
            if isinstance(ended, Outcome):
                return ended
            if ended is not None:
                places.append(ended)
            self.state.done.append(step.name)
            state.save(self.state, self.wanted.output)
        self.state.finished = True
        state.save(self.state, self.wanted.output)
        return Outcome(
            ending=Ending.RELEASED,
            text=f"released {self.state.version}",
            places=tuple(places),
            version=self.state.version,
            security="" if self.state.security is None else section.summary(self.state.security),
        )

    def _do(self, step: Step) -> Outcome | str | None:
        """Do STEP; return where something was published, or how all of it ends here."""
        match step.kind:
            case Kind.BUILD:
                return self._build(step.of)
            case Kind.CONVERT:
                self._convert(step.of)
            case Kind.BOOT:
                return self._boot(step.of)
            case Kind.ADVISORIES:
                self._look_up()
            case Kind.COLLECT:
                self._collect()
            case Kind.SIGN:
                self._sign(step)
            case Kind.UPLOAD:
                deliver.upload(self._release(), self._target(step.of), self.console)
            case Kind.PUBLISH:
                return self._publish(step)
            case Kind.PRUNE:
                prune.prune(self._target(step.of), self.wanted.policy, self._day, self.console)
        return None

    def _build(self, name: str) -> Outcome | None:
        self._builds.mkdir(exist_ok=True)
        report = self.build(name, self._builds / name)
        if report.verdict is not Verdict.IDENTICAL:
            text = f"{name} is not reproducible: it is not released"
            return Outcome(ending=Ending.DIFFERENT, text=text)
        (self._builds / name / "report.json").write_text(json_report.render(report), encoding="utf-8")
        built = report.builds[0]
        self.state.builds[name] = Built(
            image=built.image,
            digests={one.name: one.sha256 for one in built.artefacts},
            packages=None
            if built.packages is None
            else [[one.name, one.architecture, one.version] for one in built.packages],
        )
        return None

    def _convert(self, name: str) -> None:
        image = self._image(name)
        if (image / "oci-layout").is_file():
            self.console.say(f"{name} is a container image: there is nothing to convert")
            return
        convert.convert(image, self.wanted.formats, self._builds / name, self.console, None)

    def _boot(self, name: str) -> Outcome | None:
        if self.start(self._image(name), self.wanted.output / _BOOTS / name):
            return None
        return Outcome(ending=Ending.NOT_STARTED, text=f"{name} does not start as it should: it is not released")

    def _look_up(self) -> None:
        """Look up what the upgrades since the last release fixed; without one there is nothing to tell."""
        before = _held(self.targets, self.state.version, self.console)
        if before is None:
            self.console.say("There is no last release that says what it held: no security fixes are looked up")
            return
        old = {image.name: image.packages for image in before.images}
        images = [
            Imaged(
                name=name,
                file=self._image(name),
                build=self._builds / name,
                before=old.get(name),
                now=built.listed(),
            )
            for name, built in self.state.builds.items()
        ]
        self.state.security = advisories.of_release(self.wanted.advisories, images, self.console)

    def _collect(self) -> None:
        for name, built in self.state.builds.items():
            collect.describe(self._builds / name, built.image)
        self._tell(collect.collect(self.state, self._builds, self._files), None)
        deliver.check(self._release(), self.targets)

    def _sign(self, step: Step) -> None:
        """Sign the list of checksums as STEP says; who does by Sigstore is known only then, and goes into the notes."""
        if step.of != plan.SIGSTORE:
            assert self.wanted.key is not None
            signing.signed(self._files, self.wanted.key, self.console.say)
            return
        assert self.wanted.keyless is not None
        _, by = signing.signed_keyless(self._files, self.wanted.keyless, self.console.say)
        now = contents.parse((self._files / contents.NAME).read_bytes())
        self._tell(now, Expected(by=by, trust=self.wanted.keyless.trust))

    def _tell(self, now: Contents, expected: Expected | None) -> None:
        """Write the notes of the release NOW; who is EXPECTED has signed it by Sigstore, where that is done."""
        base = self.wanted.base.rstrip("/") or "https://…"
        where = f"{base}/{self.state.version}"
        before = _held(self.targets, self.state.version, self.console)  # which is for the notes alone
        signed = self.state.call.signs
        text = collect.told(now, before, where, self.state.security, signed=signed, expected=expected)
        (self.wanted.output / NOTES).write_text(text, encoding="utf-8")

    def _publish(self, step: Step) -> Outcome | str:
        """Publish, unless another pipeline has released since this one began: then nobody needs a second one."""
        if not any(done.startswith(Kind.PUBLISH.value) for done in self.state.done) and not self.wanted.force:
            last = _last(self.targets)
            newer = last is not None and last.version != self.state.version
            if newer and last is not None and not self._is_due(last):
                self.state.finished = True
                state.save(self.state, self.wanted.output)
                return Outcome(ending=Ending.MEANWHILE, text=f"{last.version} was released meanwhile: this one is not")
        return deliver.publish(self._release(), self._target(step.of), self.console)

    def _is_due(self, last: Past) -> bool:
        return schedule.due(last.day, self._day, weeks=self.wanted.weeks, by=self.wanted.by).due

    def _release(self) -> Release:
        text = (self.wanted.output / NOTES).read_text(encoding="utf-8")
        return collect.release(self.state, self._files, text)

    def _target(self, name: str) -> Target:
        return next(target for target in self.targets if target.name == name)

    def _image(self, name: str) -> Path:
        return self._builds / name / self.state.builds[name].image

    @property
    def _builds(self) -> Path:
        return self.wanted.output / _BUILDS

    @property
    def _files(self) -> Path:
        return self.wanted.output / _FILES

    @property
    def _day(self) -> date:
        return date.fromisoformat(self.state.day)
