"""Where one run builds: the definition, the place, what the build is pinned to, and the directories."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ci_toolkit.console import Console
from ci_toolkit.errors import BuildError
from ci_toolkit.host import probe
from ci_toolkit.host.environment import NORMAL, VARIED, Environment
from ci_toolkit.mkosi import build as building
from ci_toolkit.mkosi import cache, command, machine, manifest, normal, plan, source
from ci_toolkit.mkosi.build import Build
from ci_toolkit.mkosi.command import Call
from ci_toolkit.mkosi.plan import Plan
from ci_toolkit.mkosi.progress import Progress
from ci_toolkit.mkosi.source import Source
from ci_toolkit.process import Command, Sandbox
from ci_toolkit.records import making
from ci_toolkit.records import stored as records
from ci_toolkit.records.making import Facts
from ci_toolkit.runners import choose, limit, vm
from ci_toolkit.runners.runner import INSIDE, Place, Request
from ci_toolkit.workshop import Workshop, open_workshop

# Where the build finds what was given to it, to be copied from there, and the package cache.
_GIVEN: Final = "given"
PACKAGES: Final = INSIDE / "packages"

# Of the directories of one build: its package lists, and what is of no use once it is over.
_CACHE: Final = "cache"
_LEFT: Final = ("source", "workspace", "machine", normal.DIRECTORY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the caller asks for; `directory` holds the definition, `vary` names the second build's differences.

    `cache` is where fetched packages are kept, by default the user's own place for it; `deep` lets diffoscope look into
    what no rule explains; `parallel` and `log` are the settings of those names; `time_limit` is read by runners.limit.
    """

    directory: Path
    output: Path
    profiles: tuple[str, ...] = ()
    runner: str = "auto"
    vary: frozenset[str] = frozenset()
    mkosi_arguments: tuple[str, ...] = ()
    cache: Path | None = None
    deep: bool = False
    parallel: str = "auto"
    time_limit: str = "auto"
    log: str = "progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Everything one run builds with; one build may take `minutes`.

    `suites` are package sources of this machine, for what has none of its own; `runner` was chosen, and `passed_over`
    tells of each that would have come before it why it was not.
    """

    wishes: Wishes
    workshop: Workshop
    source: Source
    place: Place
    call: Call
    plan: Plan
    console: Console
    environ: Mapping[str, str]
    runner: str = ""
    passed_over: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    minutes: float | None = None

    def build(self, surroundings: Environment, name: str) -> Build:
        """Build the image in SURROUNDINGS and move its files to the staging directory."""
        attempt = self.begin(surroundings, name)
        with self.console.foreign_output():
            return attempt.run(self.console.foreign)

    def begin(self, surroundings: Environment, name: str, *, packages: Path = PACKAGES) -> "Attempt":
        """Make the directories of a build in SURROUNDINGS, whose files go to the staging directory as NAME.

        PACKAGES is its package cache, a path inside.
        """
        place = Path(surroundings.build_path).parent
        sandbox = self.place.sandbox(surroundings)
        given = self.workshop.scratch / _GIVEN
        sandbox.copy_in(given / "definition", place / "source")
        sandbox.copy_in(given / normal.DIRECTORY, place / normal.DIRECTORY)
        trees = (place / "machine",) if (given / "machine").exists() else ()
        for tree in trees:
            sandbox.copy_in(given / "machine", tree)
        call = replace(
            plan.apply(self.plan, self.call),
            directory=place / "source" / self.source.directory,
            environment=surroundings,
            sandbox_trees=trees,
            output=place / "output",
            workspace=place / "workspace",
            packages=packages,
            cache=place / _CACHE,
            normal=place,
        )
        sandbox.make(Path(surroundings.home), place / "output", place / "workspace", place / _CACHE, packages)
        return Attempt(site=self, name=name, sandbox=sandbox, call=call, place=place)

    def finish(self, builds: tuple[Build, ...], *, identical: bool) -> tuple[Build, ...]:
        """Leave the first build's files in the output, and the second's beside them where they differ."""
        staged = self.workshop.staged
        for path in (staged / "first").iterdir():
            path.rename(staged / path.name)
        (staged / "first").rmdir()
        if identical:
            shutil.rmtree(staged / "second", ignore_errors=True)
        self._write_record(builds, identical=identical)
        self.workshop.publish()
        if self.workshop.tidies:
            self._tidy()
        output = self.workshop.output
        places = (output, output / "second")
        return tuple(
            replace(one, directory=place, log=output / one.log.name) for one, place in zip(builds, places, strict=False)
        )

    def _write_record(self, builds: tuple[Build, ...], *, identical: bool) -> None:
        verdict = ("identical" if identical else "different") if len(builds) > 1 else None
        record = making.make(
            Facts(
                source=self.source,
                plan=self.plan,
                profiles=self.wishes.profiles,
                arguments=self.wishes.mkosi_arguments,
                runner=self.runner,
                place=self.place,
                suites=self.suites,
                definition=self.workshop.scratch / _GIVEN / "definition",
                packages=self.workshop.packages,
            ),
            builds[0],
            self.environ,
            verdict,
        )
        records.write(record, self.workshop.staged)

    def _tidy(self) -> None:
        """Take packages out of the cache that the last build did not read; it may have had copies of its own."""
        copies = self.workshop.scratch / Path(VARIED.build_path).parent.relative_to(INSIDE) / PACKAGES.name
        packages = self.workshop.packages
        freed = cache.drop_unread(packages, copies if copies.is_dir() else packages)
        if freed:
            self.console.say(f"{freed / 1e6:.0f} MB of packages that are not needed any more were removed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A build that can be started: its directories, below `place` inside, are there."""

    site: Site
    name: str
    sandbox: Sandbox
    call: Call
    place: Path

    def after(self, other: "Attempt") -> "Attempt":
        """Return this build with the package lists that the OTHER one has fetched."""
        if self.place != other.place:
            self.sandbox.share(other.place / _CACHE, self.place / _CACHE)
        return replace(self, call=replace(self.call, reuse_metadata=True))

    def run(self, show: Callable[[str], None], listen: Callable[[str], None] = lambda _: None) -> Build:
        """Build the image, and move its files to the staging directory.

        SHOW is given what a reader is to see, LISTEN each line that mkosi writes.
        """
        staged = self.site.workshop.staged
        progress = Progress(show=show, whole=self.site.wishes.log == "full")

        def hear(line: str) -> None:
            progress.hear(line)
            listen(line)

        log, target = staged / f"{self.name}.log", staged / self.name
        started = time.time()
        try:
            with progress.ticking():
                seconds = building.run(self.sandbox, self.call, log, hear, self.site.minutes)
        except BuildError as error:
            next_step = f"{error.hint} " if error.hint else ""
            whole = f"The whole log: {self.site.workshop.rescue(log)}"
            raise BuildError(error.message, hint=f"{next_step}{whole}") from error
        self.sandbox.copy_out(self.place / "output", target)
        left = (*(self.place / name for name in _LEFT), Path(self.call.environment.home))
        self.sandbox.run(Command(argv=("rm", "-rf", *map(os.fspath, left))))
        if self.call.packages == PACKAGES:
            self.sandbox.give_back(PACKAGES)
        image = building.main_output(target, self.site.plan.config.output)
        return Build(
            image=image,
            directory=target,
            artefacts=building.collect(target, image),
            seconds=seconds,
            log=log,
            started=started,
            packages=manifest.read(target / f"{self.site.plan.config.output}{manifest.SUFFIX}"),
            command=command.build(self.call).argv,
        )


@contextmanager
def open_site(
    wishes: Wishes, environ: Mapping[str, str], console: Console, learn: Callable[[str, str], None] | None = None
) -> Iterator[Site]:
    """Find the definition, choose a runner, and decide what the build is pinned to.

    LEARN is given the outputs runner-used and accel-used of settings.OUTPUTS, as soon as they are known.
    """
    definition = source.find(wishes.directory)
    capabilities = probe.probe(directory=definition.root, environ=environ, thorough=False)
    runner = choose.choose(capabilities, wishes.runner)
    passed_over = choose.passed_over(capabilities, runner) if wishes.runner == "auto" else ()
    for reason in passed_over:
        console.say(f"Not built by {reason}")
    with open_workshop(wishes.output, environ, console, cache=wishes.cache) as workshop:
        (workshop.scratch / _GIVEN).mkdir()
        (workshop.scratch / _GIVEN).chmod(0o755)
        copied = workshop.scratch / _GIVEN / "definition"
        leave_out = (workshop.output, workshop.staged.parent)
        if workshop.tidies:
            cache.forget_reading(workshop.packages)
        mended = source.copy(definition, copied, epoch=definition.epoch, leave_out=leave_out)
        if mended:
            console.say(f"{mended} files of the checkout had other modes than git's; the build gets git's")
        request = Request(
            scratch=workshop.scratch,
            packages=workshop.packages,
            console=console,
            environ=environ,
            rescue=workshop.rescue,
            network=command.wants_network(wishes.mkosi_arguments),
        )
        if learn is not None:
            learn("runner-used", runner.NAME)
        with runner.start(request) as place:
            console.say(f"Runner: {place.description}")
            if learn is not None:
                learn("accel-used", _accel(runner.NAME, place))
            with console.step("Configuration"):
                site = _configure(wishes, workshop, definition, place, console, environ)
            yield replace(site, runner=runner.NAME, passed_over=passed_over)


def _accel(runner: str, place: Place) -> str:
    """Return what a virtual machine runs on: "kvm", or "tcg" where it is emulated; "none" where there is none."""
    if runner != vm.NAME:
        return "none"
    return "tcg" if place.emulated else "kvm"


def _configure(
    wishes: Wishes,
    workshop: Workshop,
    definition: Source,
    place: Place,
    console: Console,
    environ: Mapping[str, str],
) -> Site:
    sandbox = place.sandbox(NORMAL)
    directory = INSIDE / _GIVEN / "definition" / definition.directory
    call = Call(
        directory=directory,
        profiles=wishes.profiles,
        arguments=wishes.mkosi_arguments,
        environment=NORMAL,
        epoch=None,
    )
    minutes = limit.minutes(wishes.time_limit, emulated=place.emulated)
    decided = plan.make(sandbox, call, definition, time.time(), minutes)
    given = workshop.scratch / _GIVEN
    normal.write(given)
    suites = machine.sandbox_tree(sandbox, decided.config, given / "definition", given / "machine")
    if suites:
        console.say(f"Packages come from the machine's mirror: {', '.join(suites)}")
    return Site(
        wishes=wishes,
        workshop=workshop,
        source=definition,
        place=place,
        call=call,
        plan=decided,
        console=console,
        environ=environ,
        suites=suites,
        minutes=minutes,
    )
