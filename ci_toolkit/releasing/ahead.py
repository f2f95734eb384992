"""What is known of a release before anything is built: what no target takes, and what hardly fitted the last time."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_toolkit.errors import UnreadableError, UsageError
from ci_toolkit.formats.table import FORMATS, PACKED, Format
from ci_toolkit.publish import checksums, deliver
from ci_toolkit.publish.files import Blob, Container, File, Release
from ci_toolkit.publish.target import Target
from ci_toolkit.releases import contents
from ci_toolkit.releases.contents import Contents
from ci_toolkit.releasing import collect
from ci_toolkit.releasing.state import Call

# A file that came so near to the limit may be beyond it this time: packages grow.
_NEAR: Final = 0.95
_MB: Final = 1_000_000
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a file had the last time: `of` is the format that it is of, None for the image itself."""

    name: str
    size: int
    of: Format | None


def check(call: Call, targets: Sequence[Target]) -> None:
    """See that TARGETS take what every release of CALL has at least. Raises UsageError."""
    try:
        deliver.check(least(call), targets)
    except UsageError as error:
        more = "Where not all of it is made of every image, --force builds it."
        raise UsageError(error.message, hint=f"{error.hint} {more}") from error


def least(call: Call) -> Release:
    """Return a release of CALL with no more than every build leaves: its size is not known, nor are names.

    Of each image there are the file that was built and its report; what else mkosi leaves is not counted. Whether a
    container image is among it is not known either, so that one is.
    """
    names = [contents.NAME, checksums.NAME, *((f"{checksums.NAME}.asc",) if call.signs else ())]
    for number, image in enumerate(call.images):
        shown = image if _PLAIN.fullmatch(image) else f"image{number}"
        names += [f"{shown}.raw", "report.json" if len(call.images) == 1 else f"{image}.report.json"]
        names += [name for one in FORMATS if one.name in call.formats for name in _written(shown, one)]
    files = tuple(_nothing(name) for name in names)
    manifest = Blob(digest="", media_type="", file=_nothing("manifest"))
    return Release(version="", files=files, containers=(Container(name="", manifest=manifest, blobs=()),))


def remembered(last: Contents, images: Sequence[str], formats: Sequence[Format]) -> tuple[Memory, ...]:
    """Return the files of LAST that a release of IMAGES in FORMATS will have again; their names may hold a version."""
    mains = {one.file: one for one in last.images}
    sizes = dict(last.files) | {one.file: one.size for one in last.images}
    found = []
    for name, size in sorted(sizes.items()):
        if name in mains:
            if mains[name].name in images:
                found.append(Memory(name=name, size=size, of=None))
        elif (of := _format(name)) in formats:
            found.append(Memory(name=name, size=size, of=of))
    return tuple(found)


def earlier(output: Path) -> Contents | None:
    """Return what the directory OUTPUT holds of a release that was made in it; None where that cannot be read."""
    path = output / contents.NAME
    try:
        if not path.is_file() or path.stat().st_size > contents.LIMIT_BYTES:
            return None
        return contents.parse(path.read_bytes())
    except (OSError, UnreadableError):
        return None  # it is removed in a moment


def compared(memories: Sequence[Memory], targets: Sequence[Target], *, force: bool) -> tuple[str, ...]:
    """Return a sentence for each of MEMORIES that hardly fitted one of TARGETS.

    Raises UsageError where one was beyond the limit: nothing is built that will be refused in the end. With FORCE that
    is a sentence, too: the image may have become smaller.
    """
    near, beyond = [], []
    for target in targets:
        for memory in memories:
            if target.limit is None or memory.size <= _NEAR * target.limit:
                continue
            had = f"{target.name}: {memory.name} had {memory.size:,} bytes the last time"
            if memory.size > target.limit:
                beyond.append(f"{had}, and {target.limit:,} is the most that one file may have")
            else:
                near.append(f"{had}; {target.limit:,} is the most, and it may be beyond that now")
    advice = _advice(memories, targets)
    if beyond and not force:
        raise UsageError(
            "the release would not fit:\n" + "\n".join(beyond),
            hint=f"{advice} Has it become smaller since, --force builds it.",
        )
    return tuple(f"{one}. {advice}" for one in (*beyond, *near))


def _advice(memories: Sequence[Memory], targets: Sequence[Target]) -> str:
    """Return what may be released instead: what fitted easily, else what compresses."""
    limit = min((target.limit for target in targets if target.limit is not None), default=0)
    fitted = sorted((one for one in memories if one.of and one.size <= _NEAR * limit), key=lambda one: one.size)
    told = list(dict.fromkeys(one.of.name for one in fitted if one.of))
    sizes = {one.of.name: one.size for one in reversed(fitted) if one.of}
    if told:
        best = ", ".join(f"{name} ({sizes[name] / _MB:,.1f} MB the last time)" for name in told[:3])
        return f"This fits: --formats {best}; the image itself with CompressOutput=zstd."
    asked = {one.of.name for one in memories if one.of}
    packed = [one.name for one in FORMATS if one.grain == PACKED and not one.directory and one.name not in asked]
    return (
        f"These compress: {', '.join(packed[:4])}, and CompressOutput=zstd of mkosi; `ci-toolkit convert --fit` tells."
    )


def _written(image: str, of: Format) -> Iterator[str]:
    """Yield what is surely published of a format as files."""
    if not of.directory:
        yield f"{image}{of.suffix}"
    elif of.name == "oci":
        yield f"{image}{collect.ARCHIVE}"
    elif of.name == "netboot":
        yield f"{image}{of.suffix}/boot.ipxe"


def _format(name: str) -> Format | None:
    """Return the format of the file NAME, by the longest suffix that fits."""
    suffixes = {one.suffix: one for one in FORMATS if not one.directory}
    suffixes[collect.ARCHIVE] = next(one for one in FORMATS if one.name == "oci")
    found = [suffix for suffix in suffixes if name.endswith(suffix)]
    return suffixes[max(found, key=len)] if found else None


def _nothing(name: str) -> File:
    return File(name=name, path=Path(name), size=0, sha256="")
