"""Put together the record of a build that has just ended, while the place where it ran is still open."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ci_toolkit.ci.detect import detect
from ci_toolkit.host.environment import NORMAL
from ci_toolkit.mkosi.build import Build
from ci_toolkit.mkosi.plan import Plan
from ci_toolkit.mkosi.source import Source
from ci_toolkit.records import addresses, digest, masked, package_files, tools
from ci_toolkit.records.record import Image, Origin, Record, Varying
from ci_toolkit.runners.runner import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a run besides what it built.

    `profiles` and `arguments` are the caller's; `suites` package sources of this machine; `definition` is the copy of
    the source that was built, `packages` the package cache.
    """

    source: Source
    plan: Plan
    profiles: tuple[str, ...]
    arguments: tuple[str, ...]
    runner: str
    place: Place
    suites: tuple[str, ...]
    definition: Path
    packages: Path


def make(facts: Facts, build: Build, environ: Mapping[str, str], verdict: str | None) -> Record:
    """Return the record of BUILD, which was made in NORMAL surroundings; VERDICT is what a second build said."""
    config = facts.plan.config
    packages = build.packages
    return Record(
        toolkit=metadata.version("ci-toolkit"),
        origin=_origin(facts),
        image=Image(
            name=config.output,
            distribution=config.distribution,
            release=config.release,
            architecture=config.architecture,
            format=config.format,
            profiles=facts.profiles,
            arguments=masked.arguments(facts.arguments, environ),
            snapshot=config.snapshot,
            mirror=None if config.mirror is None else addresses.without_user(config.mirror),
            suites=facts.suites,
            epoch=facts.plan.used_epoch,
            seed=facts.plan.seed or config.seed,
        ),
        runner=facts.runner,
        toolkit_image=facts.place.toolkit_image,
        tools=tools.ask(facts.place.sandbox(NORMAL), config.distribution),
        surroundings=NORMAL,
        command=masked.arguments(build.command, environ),
        packages=None if packages is None else package_files.look_up(packages, facts.packages),
        main=build.image,
        outputs=build.artefacts,
        varying=Varying(
            started=round(build.started, 3),
            seconds=round(build.seconds, 3),
            place=facts.place.description,
            run_url=detect(environ).run_url,
            verdict=verdict,
        ),
    )


def _origin(facts: Facts) -> Origin:
    source = facts.source
    sums, left_out = digest.definition(facts.definition)
    return Origin(
        repository=None if source.remote is None else addresses.cloned(source.remote),
        commit=source.commit,
        dirty=source.dirty,
        directory=source.directory.as_posix(),
        digest=sums,
        left_out=left_out,
    )
