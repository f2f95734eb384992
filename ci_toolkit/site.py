"""Where one run builds: the definition, the place, what the build is pinned to, and the directories."""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ci_toolkit.console import Console
from ci_toolkit.errors import BuildError
from ci_toolkit.host import probe
from ci_toolkit.host.environment import NORMAL, Environment
from ci_toolkit.mkosi import build as building
from ci_toolkit.mkosi import machine, normal, plan, source
from ci_toolkit.mkosi.build import Build
from ci_toolkit.mkosi.command import Call
from ci_toolkit.mkosi.plan import Plan
from ci_toolkit.mkosi.source import Source
from ci_toolkit.process import Command
from ci_toolkit.runners import choose
from ci_toolkit.runners.runner import INSIDE, Place, Request
from ci_toolkit.workshop import Workshop, open_workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the caller asks for; `directory` holds the definition, `vary` names the second build's differences.

    `deep` lets diffoscope look into what no rule explains.
    """

    directory: Path
    output: Path
    profiles: tuple[str, ...] = ()
    runner: str = "auto"
    vary: frozenset[str] = frozenset()
    mkosi_arguments: tuple[str, ...] = ()
    deep: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Everything one run builds with."""

    wishes: Wishes
    workshop: Workshop
    source: Source
    place: Place
    call: Call
    plan: Plan
    console: Console

    def build(self, surroundings: Environment, name: str, *, reuse_metadata: bool = False) -> Build:
        """Build the image in SURROUNDINGS and move its files to the staging directory."""
        place = Path(surroundings.build_path).parent
        sandbox = self.place.sandbox(surroundings)
        sandbox.copy_in(self.workshop.scratch / "definition", place / "source")
        made = sandbox.run(
            Command(argv=("mkdir", "-p", surroundings.home, f"{place}/output", f"{place}/workspace", f"{INSIDE}/cache"))
        )
        if not made.ok:
            raise BuildError(f"the build's directories could not be made: {made.stderr.strip()}")
        call = replace(
            plan.apply(self.plan, self.call),
            directory=place / "source" / self.source.directory,
            environment=surroundings,
            output=place / "output",
            workspace=place / "workspace",
            packages=INSIDE / "packages",
            cache=INSIDE / "cache",
            normal=INSIDE,
            reuse_metadata=reuse_metadata,
        )
        started = time.time()
        log = self.workshop.staged / f"{name}.log"
        try:
            seconds = building.run(sandbox, call, log, self.console)
        except BuildError as error:
            raise BuildError(error.message, hint=f"The whole log: {self.workshop.rescue(log)}") from error
        target = self.workshop.staged / name
        sandbox.copy_out(place / "output", target)
        sandbox.run(Command(argv=("rm", "-rf", f"{place}/source", f"{place}/workspace", surroundings.home)))
        image = building.main_output(target, self.plan.config.output)
        return Build(
            image=image,
            directory=target,
            artefacts=building.collect(target, image),
            seconds=seconds,
            log=log,
            started=started,
        )

    def finish(self, builds: tuple[Build, ...], *, identical: bool) -> tuple[Build, ...]:
        """Leave the first build's files in the output, and the second's beside them where they differ."""
        staged = self.workshop.staged
        for path in (staged / "first").iterdir():
            path.rename(staged / path.name)
        (staged / "first").rmdir()
        if identical:
            shutil.rmtree(staged / "second", ignore_errors=True)
        self.workshop.publish()
        output = self.workshop.output
        places = (output, output / "second")
        return tuple(
            replace(one, directory=place, log=output / one.log.name) for one, place in zip(builds, places, strict=False)
        )


@contextmanager
def open_site(wishes: Wishes, environ: Mapping[str, str], console: Console) -> Iterator[Site]:
    """Find the definition, choose a runner, and decide what the build is pinned to."""
    definition = source.find(wishes.directory)
    capabilities = probe.probe(directory=definition.root, environ=environ, thorough=False)
    runner = choose.choose(capabilities, wishes.runner)
    for reason in choose.passed_over(capabilities, runner) if wishes.runner == "auto" else ():
        console.say(f"Not built by {reason}")
    with open_workshop(wishes.output, environ, console) as workshop:
        copied = workshop.scratch / "definition"
        leave_out = (workshop.output, workshop.staged.parent)
        mended = source.copy(definition, copied, epoch=definition.epoch, leave_out=leave_out)
        if mended:
            console.say(f"{mended} files of the checkout had other modes than git's; the build gets git's")
        request = Request(
            scratch=workshop.scratch,
            packages=workshop.packages,
            console=console,
            environ=environ,
            rescue=workshop.rescue,
        )
        with runner.start(request) as place:
            console.say(f"Runner: {place.description}")
            with console.step("Configuration"):
                site = _configure(wishes, workshop, definition, place, console)
            yield site


def _configure(wishes: Wishes, workshop: Workshop, definition: Source, place: Place, console: Console) -> Site:
    sandbox = place.sandbox(NORMAL)
    directory = INSIDE / "definition" / definition.directory
    call = Call(
        directory=directory,
        profiles=wishes.profiles,
        arguments=wishes.mkosi_arguments,
        environment=NORMAL,
        epoch=None,
    )
    decided = plan.make(sandbox, call, definition, time.time())
    normal.write(workshop.scratch)
    trees = workshop.scratch / "machine"
    suites = machine.sandbox_tree(sandbox, decided.config, workshop.scratch / "definition", trees)
    if suites:
        console.say(f"Packages come from the machine's mirror: {', '.join(suites)}")
        call = replace(call, sandbox_trees=(INSIDE / "machine",))
    return Site(
        wishes=wishes,
        workshop=workshop,
        source=definition,
        place=place,
        call=call,
        plan=decided,
        console=console,
    )
