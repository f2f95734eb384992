"""A record as a build leaves it, for the tests of what is told from one."""

from dataclasses import replace
from typing import Any, Final

from ci_toolkit.host.environment import NORMAL
from ci_toolkit.mkosi.build import Artefact
from ci_toolkit.records.record import Image, Installed, Origin, Record, Varying
from ci_toolkit.runners.runner import ToolkitImage

EPOCH: Final = 1_770_000_000

RECORD: Final = Record(
    toolkit="0.1.0",
    origin=Origin(
        repository="https://forge.example/images/cloud.git",
        commit="c0ffee" + "0" * 34,
        dirty=False,
        directory="images/cloud",
        digest="d" * 64,
        left_out=("mkosi.rootpw",),
    ),
    image=Image(
        name="cloud",
        distribution="debian",
        release="trixie",
        architecture="x86-64",
        format="disk",
        profiles=("server",),
        arguments=("--hostname=cloud",),
        snapshot="20260101T000000Z",
        mirror=None,
        suites=(),
        epoch=EPOCH,
        seed="146b5df2-dc1c-591c-9474-421e07d4c6fd",
    ),
    runner="container",
    toolkit_image=ToolkitImage(
        name="ghcr.io/archlinux/mkosi-action:v1",
        id="sha256:" + "1" * 64,
        digests=("ghcr.io/archlinux/mkosi-action@sha256:" + "2" * 64,),
    ),
    tools=(("mkosi", "27.1"), ("systemd-repart", "262"), ("apt", "3.3.3")),
    surroundings=NORMAL,
    command=("mkosi", "--directory=/var/tmp/ci-toolkit/source/images/cloud", "build"),
    packages=(
        Installed(name="base-files", architecture="amd64", version="13.8+deb13u8", sha256="f" * 64),
        Installed(name="libstdc++6", architecture="amd64", version="14.2.0-19", sha256="a" * 64),
        Installed(name="login", architecture="amd64", version="1:4.16.0-2+really2.41.5-0+deb13u1", sha256=None),
    ),
    main="cloud.raw",
    outputs=(
        Artefact(name="cloud.raw", size=1_000_000, sha256="b" * 64),
        Artefact(name="cloud.manifest", size=1_000, sha256="c" * 64),
    ),
    varying=Varying(
        started=1_770_000_100.5, seconds=61.25, place="container: in Docker", run_url=None, verdict="identical"
    ),
)


def image(**changes: Any) -> Record:
    """The record with CHANGES in what was asked for."""
    return replace(RECORD, image=replace(RECORD.image, **changes))


def origin(**changes: Any) -> Record:
    """The record with CHANGES in where the definition comes from."""
    return replace(RECORD, origin=replace(RECORD.origin, **changes))
