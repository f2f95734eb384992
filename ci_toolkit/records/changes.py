"""What was not the same for two builds of one definition: what may be why their bits differ."""

from collections.abc import Iterator
from typing import Final

from ci_toolkit.records.record import Installed, Record

_SHOWN: Final = 5


def between(published: Record, rebuilt: Record) -> tuple[str, ...]:
    """Return one phrase for each thing in which the REBUILT one was made otherwise than the PUBLISHED one."""
    return tuple(_phrases(published, rebuilt))


def _phrases(published: Record, rebuilt: Record) -> Iterator[str]:
    if published.origin.digest != rebuilt.origin.digest:
        yield "the definition's files are others"
    lacking = sorted(set(published.origin.left_out) - set(rebuilt.origin.left_out))
    if lacking:
        yield f"{', '.join(lacking)} was there, which is published nowhere"
    if published.toolkit != rebuilt.toolkit:
        yield f"ci-toolkit was {published.toolkit}, here it is {rebuilt.toolkit}"
    yield from _tools(dict(published.tools), dict(rebuilt.tools))
    yield from _pinned(published, rebuilt)
    if published.packages is not None and rebuilt.packages is not None:
        yield from _packages(published.packages, rebuilt.packages)
    before = None if published.toolkit_image is None else published.toolkit_image.id
    now = None if rebuilt.toolkit_image is None else rebuilt.toolkit_image.id
    if before != now:
        yield f"the container image was {_shown(before)}, here it is {_shown(now)}"


def _tools(published: dict[str, str], rebuilt: dict[str, str]) -> Iterator[str]:
    for name, version in published.items():
        now = rebuilt.get(name)
        if now != version:
            yield f"{name} was {version}, here it is {now or 'not known'}"


def _pinned(published: Record, rebuilt: Record) -> Iterator[str]:
    for name in ("snapshot", "mirror", "epoch", "seed", "architecture", "release"):
        before, now = getattr(published.image, name), getattr(rebuilt.image, name)
        if before != now:
            told = ["not set" if value is None else value for value in (before, now)]
            yield f"{name} was {told[0]}, here it is {told[1]}"


def _packages(published: tuple[Installed, ...], rebuilt: tuple[Installed, ...]) -> Iterator[str]:
    before = {(one.name, one.architecture): one for one in published}
    now = {(one.name, one.architecture): one for one in rebuilt}
    changed = [
        f"{key[0]} was {one.version}, here it is {now[key].version if key in now else 'not there'}"
        for key, one in before.items()
        if key not in now or now[key].version != one.version
    ]
    changed += [f"{one.name} {one.version} is here and was not there" for key, one in now.items() if key not in before]
    other = [
        f"{one.name} {one.version} came from another file of that version"
        for key, one in before.items()
        if key in now
        and now[key].version == one.version
        and None not in (one.sha256, now[key].sha256)
        and one.sha256 != now[key].sha256
    ]
    found = changed + other
    yield from found[:_SHOWN]
    if len(found) > _SHOWN:
        yield f"{len(found) - _SHOWN} more packages differ"


def _shown(digest: str | None) -> str:
    return "none" if digest is None else digest[:19]
