"""What `mkosi --json summary` says of an image definition."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ci_toolkit.errors import BuildError


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """One image of a definition, as mkosi resolved it; only what the toolkit decides on.

    `epoch` is SourceDateEpoch= in seconds, None when nothing sets it. `seed` is what mkosi would use: a random one
    when the definition has none, so two summaries must be asked to know (see `seed_is_set`). `identity` is
    canonical JSON of what makes it this image, from which a seed can be derived.
    """

    name: str
    image_id: str
    distribution: str
    release: str
    architecture: str
    format: str
    output: str
    epoch: int | None
    seed: str
    mirror: str | None
    snapshot: str | None
    split_artifacts: tuple[str, ...]
    plain_root_password: bool
    identity: str


# What makes an image this image, whichever mkosi, machine or checkout builds it.
_IDENTITY = ("Distribution", "Release", "Architecture", "Image", "ImageId", "Format", "Output", "Profiles")


def parse_summary(text: str) -> tuple[ImageConfig, ...]:
    """Read the output of `mkosi --json summary`; the last image is the main one.

    Raises BuildError for anything else.
    """
    try:
        images = json.loads(text)["Images"]
        return tuple(_parse_image(image) for image in images)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuildError(
            "mkosi's summary could not be read", hint="Run `mkosi --json summary` there and look at it."
        ) from error


def _parse_image(image: Mapping[str, Any]) -> ImageConfig:
    password = image.get("RootPassword") or ["", False]
    return ImageConfig(
        name=image.get("Image") or "main",
        image_id=image.get("ImageId") or "",
        distribution=str(image["Distribution"]),
        release=str(image["Release"]),
        architecture=str(image.get("Architecture") or ""),
        format=str(image["Format"]),
        output=str(image.get("Output") or "image"),
        epoch=image.get("SourceDateEpoch"),
        seed=str(image.get("Seed", "")),
        mirror=image.get("Mirror") or image.get("LocalMirror") or None,
        snapshot=image.get("Snapshot") or None,
        split_artifacts=tuple(image.get("SplitArtifacts") or ()),
        plain_root_password=bool(password[0]) and not password[1],
        identity=json.dumps({key: image.get(key) for key in _IDENTITY}, sort_keys=True),
    )


def seed_is_set(first: ImageConfig, second: ImageConfig) -> bool:
    """Tell whether the definition has a Seed=: mkosi draws a new one for each summary when it has none."""
    return first.seed == second.seed
