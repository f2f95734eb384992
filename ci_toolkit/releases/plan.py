"""The steps of a release, in their order. A step that was done is not done again, whatever ends the run after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# What a step that signs is of, where no key does it.
SIGSTORE: Final = "sigstore"


class Kind(StrEnum):
    """What a step does. All files are on every target, unseen, before the first of them is published."""

    BUILD = "build"
    CONVERT = "convert"
    BOOT = "boot"
    ADVISORIES = "advisories"
    COLLECT = "collect"
    SIGN = "sign"
    UPLOAD = "upload"
    PUBLISH = "publish"
    PRUNE = "prune"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step, of an image or a target, by a kind of signature, or of the release (`of` is empty)."""

    kind: Kind
    of: str = ""
    told: str = ""

    @property
    def name(self) -> str:
        return f"{self.kind.value} {self.of}".strip()


def steps(
    images: Sequence[str],
    formats: Sequence[str],
    targets: Sequence[str],
    *,
    firmware: Sequence[str] = (),
    advises: bool = False,
    signs: bool,
    sigstore: bool,
    prunes: bool,
) -> tuple[Step, ...]:
    """Return the steps of a release of IMAGES, converted to FORMATS, started with each of FIRMWARE, to TARGETS.

    ADVISES tells that the notes name security fixes.
    """
    built = [Step(kind=Kind.BUILD, of=image, told=f"build {image} twice, and compare") for image in images]
    converted = [Step(kind=Kind.CONVERT, of=one, told=f"convert {one} to {', '.join(formats)}") for one in images]
    started = [Step(kind=Kind.BOOT, of=one, told=f"start {one} with {', '.join(firmware)}") for one in images]
    advised = [Step(kind=Kind.ADVISORIES, told="look up which security fixes the upgraded packages bring")]
    signed = [Step(kind=Kind.SIGN, told="sign SHA256SUMS")]
    witnessed = [Step(kind=Kind.SIGN, of=SIGSTORE, told="sign SHA256SUMS by Sigstore, without a key")]
    uploaded = [Step(kind=Kind.UPLOAD, of=one, told=f"upload to {one}, where nobody sees it yet") for one in targets]
    published = [Step(kind=Kind.PUBLISH, of=one, told=f"publish on {one}") for one in targets]
    pruned = [Step(kind=Kind.PRUNE, of=one, told=f"remove what is not kept from {one}") for one in targets]
    return (
        *built,
        *(converted if formats else ()),
        *(started if firmware else ()),
        *(advised if advises else ()),
        Step(kind=Kind.COLLECT, told="collect the files, write release.json, the notes and SHA256SUMS"),
        *(signed if signs else ()),
        *(witnessed if sigstore else ()),
        *uploaded,
        *published,
        *(pruned if prunes else ()),
    )


def remaining(planned: Sequence[Step], done: Sequence[str]) -> tuple[Step, ...]:
    """Return the steps of PLANNED whose names are not among those that are DONE."""
    return tuple(step for step in planned if step.name not in done)
