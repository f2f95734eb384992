import json

import pytest

from ci_toolkit.errors import BuildError
from ci_toolkit.mkosi import config

# As mkosi 27.1 prints it, cut to what is read and to what must not matter.
IMAGE = {
    "Architecture": "x86-64",
    "Distribution": "debian",
    "Release": "trixie",
    "Format": "disk",
    "Image": "main",
    "ImageId": "example",
    "Output": "example",
    "OutputExtension": "raw",
    "RootPassword": ["secret", False],
    "Seed": "9599de86-c4ce-4373-b694-7f09bf7e28be",
    "SourceDateEpoch": None,
    "SplitArtifacts": ["uki", "kernel", "initrd"],
    "BuildSources": [{"Source": "/somewhere", "Target": None}],
}


def summary(**changes: object) -> str:
    return json.dumps({"Images": [{**IMAGE, **changes}], "Tools": None})


def test_the_main_image_is_read() -> None:
    (image,) = config.parse_summary(summary())
    assert (image.distribution, image.release, image.format, image.output) == ("debian", "trixie", "disk", "example")
    assert image.architecture == "x86-64"
    assert image.epoch is None
    assert image.plain_root_password


def test_a_hashed_password_is_not_plain() -> None:
    (image,) = config.parse_summary(summary(RootPassword=["$6$x$y", True]))
    assert not image.plain_root_password


def test_the_identity_is_the_same_on_another_machine() -> None:
    (here,) = config.parse_summary(summary())
    (there,) = config.parse_summary(summary(BuildSources=[{"Source": "/elsewhere"}], Seed="another", CPUs=64))
    assert here.identity == there.identity


def test_another_release_is_another_identity() -> None:
    (one,) = config.parse_summary(summary())
    (other,) = config.parse_summary(summary(Release="forky"))
    assert one.identity != other.identity


@pytest.mark.parametrize("text", ["", "null", "{}", '{"Images": [1]}', '{"Images": [{}]}', "not json"])
def test_anything_else_is_a_build_error(text: str) -> None:
    with pytest.raises(BuildError):
        config.parse_summary(text)
