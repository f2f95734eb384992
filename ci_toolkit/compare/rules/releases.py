"""Version and build number in os-release."""

from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents, places
from ci_toolkit.compare.rules.remedy import render, script, setting
from ci_toolkit.compare.rules.rule import Phase, Rule

_FILES: Final = ("etc/os-release", "usr/lib/os-release", "etc/initrd-release", "usr/lib/initrd-release", ".osrel")
_KEYS: Final = ("IMAGE_VERSION=", "BUILD_ID=")


def _is_image_version(difference: Difference, _facts: Facts) -> bool:
    lines = contents.changed_lines(difference)
    if not lines or not places.matches(difference.path, *_FILES):
        return False
    return all(any(a.startswith(key) and b.startswith(key) for key in _KEYS) for a, b in lines)


OS_RELEASE_VERSION: Final = Rule(
    cause=Cause(
        identifier="os-release-version",
        title="The image's version is another one",
        explanation="IMAGE_VERSION= or BUILD_ID= in os-release holds something of the build: a date, a job, a commit.",
        fix=render(
            (
                setting("Output", "ImageVersion=<a fixed version>"),
                script("""sed -i '/^BUILD_ID=/d;/^IMAGE_VERSION=/d' "$BUILDROOT/usr/lib/os-release\""""),
            )
        ),
        source="https://github.com/raspberrypi/rpi-image-gen/pull/327",
    ),
    phase=Phase.INPUT,
    fields=(Field.CONTENT,),
    recognise=_is_image_version,
    globs=_FILES,
)
