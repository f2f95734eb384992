from dataclasses import replace

import pytest
import recorded

from ci_toolkit.records import changes
from ci_toolkit.records.record import Installed, Record
from ci_toolkit.runners.runner import ToolkitImage

OURS = recorded.RECORD
PACKAGES = OURS.packages or ()


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        (recorded.origin(digest="e" * 64), "the definition's files are others"),
        (recorded.origin(left_out=("mkosi.rootpw", "mkosi.key")), "mkosi.key was there, which is published nowhere"),
        (replace(OURS, toolkit="0.0.9"), "ci-toolkit was 0.0.9, here it is 0.1.0"),
        (replace(OURS, tools=(*OURS.tools, ("zstd", "1.5"))), "zstd was 1.5, here it is not known"),
        (recorded.image(epoch=None), f"epoch was not set, here it is {recorded.EPOCH}"),
        (recorded.image(snapshot="x"), "snapshot was x, here it is 20260101T000000Z"),
        (
            replace(OURS, packages=(replace(PACKAGES[0], version="12"), *PACKAGES[1:])),
            "base-files was 12, here it is 13.8+deb13u8",
        ),
        (replace(OURS, packages=PACKAGES[1:]), "base-files 13.8+deb13u8 is here and was not there"),
        (
            replace(OURS, packages=(*PACKAGES, Installed(name="vim", architecture="all", version="9"))),
            "vim was 9, here it is not there",
        ),
        (
            replace(OURS, packages=(replace(PACKAGES[0], sha256="0" * 64), *PACKAGES[1:])),
            "base-files 13.8+deb13u8 came from another file of that version",
        ),
        (
            replace(OURS, toolkit_image=ToolkitImage(name="x", id="sha256:" + "9" * 64)),
            "the container image was sha256:999999999999, here it is sha256:111111111111",
        ),
    ],
)
def test_what_was_otherwise_is_named(theirs: Record, said: str) -> None:
    assert changes.between(theirs, OURS) == (said,)


def test_what_varies_and_what_nobody_knows_is_no_change() -> None:
    theirs = replace(OURS, varying=replace(OURS.varying, seconds=1.0))
    assert changes.between(theirs, OURS) == ()
    assert changes.between(replace(OURS, packages=None), OURS) == ()
    unknown = tuple(replace(one, sha256=None) for one in PACKAGES)
    assert changes.between(replace(OURS, packages=unknown), OURS) == ()


def test_of_many_packages_some_are_named_and_the_others_counted() -> None:
    many = tuple(Installed(name=f"p{number}", architecture="all", version="1") for number in range(20))
    said = changes.between(replace(OURS, packages=(*PACKAGES, *many)), OURS)
    assert len(said) == 6
    assert said[-1] == "15 more packages differ"
