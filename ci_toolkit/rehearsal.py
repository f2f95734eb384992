"""What a build or a verification would do, found out as it would find it out, up to the first call that builds."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from ci_toolkit import pair
from ci_toolkit.console import Console
from ci_toolkit.host import environment
from ci_toolkit.host.environment import NORMAL, Variation
from ci_toolkit.mkosi import command, plan
from ci_toolkit.mkosi.source import MARK
from ci_toolkit.reports.rehearsal import Rehearsal
from ci_toolkit.site import PACKAGES, Site, Wishes, open_site
from ci_toolkit.workshop import packages_directory

# A tree, an image made of it, and what compresses or splits that.
_TIMES_THE_RESULT: Final = 3


def rehearse(wishes: Wishes, environ: Mapping[str, str], console: Console, *, twice: bool) -> Rehearsal:
    """Find out what WISHES lead to, TWICE for a verification. Raises what the build itself would raise before mkosi."""
    # Asked first: another place is taken where somebody else has it, and it is made where it is not there.
    cache = packages_directory(wishes.cache, environ)
    held = _size(cache)
    with open_site(wishes, environ, console) as site:
        images = plan.summary(site.place.sandbox(NORMAL), site.call, site.minutes)
        commands = [command.build(site.begin(NORMAL, "first").call)]
        variations: tuple[Variation, ...] = ()
        in_turn = None
        if twice:
            surroundings, kept = pair.second(site.place, wishes.vary)
            in_turn = pair.obstacle(site, surroundings)
            packages = PACKAGES if in_turn is not None else pair.own_packages(surroundings)
            call = site.begin(surroundings, "second", packages=packages).call
            commands.append(command.build(replace(call, reuse_metadata=True)))
            variations = (*environment.differences(NORMAL, surroundings), *kept)
        return Rehearsal(
            directory=wishes.directory,
            images=images,
            runner=site.runner,
            described=site.place.description,
            passed_over=site.passed_over,
            facts=site.plan.facts,
            notes=(*site.place.notes, *site.plan.notes),
            commands=tuple(commands),
            variations=variations,
            in_turn=in_turn,
            minutes=site.minutes,
            output=site.workshop.output,
            cache=cache,
            cached_bytes=held,
            needed_bytes=_needed(site, builds=len(commands)),
            free_bytes=shutil.disk_usage(site.workshop.scratch).free,
        )


def _needed(site: Site, builds: int) -> int | None:
    """Estimate how many bytes so many BUILDS take at once, from the result of an earlier one."""
    output = site.workshop.output
    earlier = _size(output) if (output / MARK).exists() else 0
    return earlier * _TIMES_THE_RESULT * builds or None


def _size(directory: Path) -> int:
    """Return the bytes of the files below DIRECTORY, without their holes."""
    files = (path for path in directory.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_blocks * 512 for path in files)
