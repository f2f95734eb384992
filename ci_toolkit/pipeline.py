"""One image from start to end: find, choose, build, build again elsewhere, compare, explain. READ THIS FIRST."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ci_toolkit import pair
from ci_toolkit.ci.detect import detect
from ci_toolkit.compare import deep, explain, walk
from ci_toolkit.compare.comparison import Comparison, Verdict
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.walk import Look
from ci_toolkit.console import Console
from ci_toolkit.errors import ToolkitError, UnreadableError
from ci_toolkit.host import environment
from ci_toolkit.host.environment import NORMAL, Environment, Variation
from ci_toolkit.images import listing
from ci_toolkit.images.listing import Listed
from ci_toolkit.mkosi import build as building
from ci_toolkit.mkosi import source
from ci_toolkit.mkosi.build import Build
from ci_toolkit.mkosi.source import Source
from ci_toolkit.pair import Pair
from ci_toolkit.reports.report import Report
from ci_toolkit.site import Site, Wishes, open_site

# Called with the name of an output and its value as soon as it is known, so that it is known of a build that fails.
Learn = Callable[[str, str], None]


def verify(wishes: Wishes, environ: Mapping[str, str], console: Console, learn: Learn | None = None) -> Report:
    """Build the image twice, in two different surroundings, and explain any difference."""
    with open_site(wishes, environ, console, learn) as site:
        surroundings, kept = pair.second(site.place, wishes.vary)
        built = pair.build(site, surroundings)
        first, second = built.first, built.second
        with console.step("Comparison"):
            facts = _facts(site, (first, second), surroundings)
            look = deep.Diffoscope(program=deep.find(environ), facts=facts).look if wishes.deep else None
            comparison = _compare(first, second, look)
            findings = explain.explain(comparison.differences if comparison else (), facts)
        verdict = comparison.verdict if comparison else Verdict.IDENTICAL
        files = _listed(first, console)
        builds = site.finish((first, second), identical=verdict is Verdict.IDENTICAL)
        return replace(
            _report(site, builds, files, environ),
            verdict=verdict,
            comparison=comparison,
            findings=findings,
            explained_bytes=explain.explained_bytes(findings),
            variations=(*_variations(surroundings, built), *kept),
        )


def build(wishes: Wishes, environ: Mapping[str, str], console: Console, learn: Learn | None = None) -> Report:
    """Build the image once."""
    with open_site(wishes, environ, console, learn) as site:
        with console.step("Build"):
            only = site.build(NORMAL, "first")
        files = _listed(only, console)
        return replace(_report(site, site.finish((only,), identical=True), files, environ), once=True)


def _variations(second: Environment, built: Pair) -> tuple[Variation, ...]:
    times = [
        datetime.fromtimestamp(one.started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        for one in (built.first, built.second)
    ]
    skipped = "the builds caught up with each other (--parallel never keeps them apart)" if built.same_time else None
    return tuple(
        replace(variation, first=times[0], second=times[1], skipped=skipped) if variation.name == "time" else variation
        for variation in environment.differences(NORMAL, second)
    )


def _compare(first: Build, second: Build, look: Look | None) -> Comparison | None:
    """Compare the main outputs, or the first artefacts that differ; None when every digest agrees."""
    if (first.directory / first.image).is_dir():
        comparison = walk.compare(first.directory / first.image, second.directory / second.image, look=look)
        return None if comparison.verdict is Verdict.IDENTICAL else comparison
    if building.same(first.artefacts, second.artefacts):
        return None
    if {one.name for one in first.artefacts} != {one.name for one in second.artefacts}:
        return walk.compare(first.directory, second.directory, look=look)
    others = {artefact.name: artefact for artefact in second.artefacts}
    name = next(artefact.name for artefact in first.artefacts if artefact != others[artefact.name])
    return walk.compare(first.directory / name, second.directory / name, look=look)


def _listed(build: Build, console: Console) -> tuple[Listed, ...] | None:
    """Return what is in the image of BUILD. An image may be odd, and is worth more than a list of its files."""
    try:
        return listing.read(build.directory / build.image)
    except UnreadableError as error:
        console.say(f"its files were not listed: {error.message}")
        return None


def _report(
    site: Site, builds: tuple[Build, ...], files: tuple[Listed, ...] | None, environ: Mapping[str, str]
) -> Report:
    title, variant = _named(site.source, site.wishes)
    return Report(
        title=title,
        variant=variant,
        verdict=Verdict.IDENTICAL,
        comparison=None,
        builds=builds,
        facts=(("runner", site.place.description), *site.plan.facts),
        notes=(*site.place.notes, *site.plan.notes),
        job=detect(environ),
        files=files,
    )


def named(wishes: Wishes) -> tuple[str, str]:
    """Return title and variant of the report that WISHES lead to, also where they lead to none."""
    try:
        return _named(source.find(wishes.directory), wishes)
    except (ToolkitError, OSError):
        return wishes.directory.resolve().name, ""


def _named(found: Source, wishes: Wishes) -> tuple[str, str]:
    name = found.root.name if found.directory == Path() else found.directory.as_posix()
    profiles = f" ({', '.join(wishes.profiles)})" if wishes.profiles else ""
    words = iter(" ".join(wishes.mkosi_arguments).replace("--architecture=", "--architecture ").split())
    return f"{name}{profiles}", next((next(words, "") for word in words if word == "--architecture"), "")


def _facts(site: Site, builds: tuple[Build, ...], second: Environment) -> Facts:
    """Return what the rules may know of the two builds."""
    clocks = [int(one.started) for one in builds]
    return Facts(
        distribution=site.plan.config.distribution,
        format=site.plan.config.format,
        epoch=site.plan.used_epoch,
        first_clock=clocks[0],
        second_clock=clocks[-1],
        first=NORMAL,
        second=second,
    )
