"""Disks in the containers of hypervisors: identifiers, times and places that a converter draws."""

from functools import partial
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules.remedy import advice, render
from ci_toolkit.compare.rules.rule import Follows, Phase, Rule

_PUBLISH_RAW: Final = advice("Compare the raw image or a qcow2, and publish that digest; convert afterwards.")
# A VHDX begins to count its changes at random.
_UUIDS: Final = (
    "uuid",
    "snapshot_uuid",
    "link_uuid",
    "parent_uuid",
    "content_uuid",
    "log_uuid",
    "disk_uuid",
    "sequence",
)
_CHECKSUMS: Final = ("checksum", "header_checksum")


def _is_fact(difference: Difference, _facts: Facts, *, containers: tuple[str, ...], names: tuple[str, ...]) -> bool:
    # Of a VHDX, there are two headers.
    return difference.container in containers and (difference.name or "").removeprefix("second_") in names


def _is_extent(difference: Difference, _facts: Facts) -> bool:
    return difference.container == "vmdk" and (difference.name or "").startswith("extent_")


def _is_place(difference: Difference, _facts: Facts) -> bool:
    return difference.container == "qcow2" and difference.name != "header"


def _disk(
    identifier: str, title: str, explanation: str, *, containers: tuple[str, ...], names: tuple[str, ...],
    source: str, fix: str = render((_PUBLISH_RAW,)),
) -> Rule:  # fmt: skip
    return Rule(
        cause=Cause(identifier=identifier, title=title, explanation=explanation, fix=fix, source=source),
        phase=Phase.FORMAT,
        fields=(Field.HEADER,),
        recognise=partial(_is_fact, containers=containers, names=names),
    )


VMDK_CONTENT_ID: Final = _disk(
    "vmdk-content-id",
    "The content id of a VMDK is random",
    "Whatever writes a VMDK draws a random CID for its descriptor, to tell a changed disk from a backup of it.",
    containers=("vmdk",),
    names=("CID",),
    fix=render(
        (
            advice("Write a fixed one over it after the conversion: it is the line `CID=` near the beginning."),
            _PUBLISH_RAW,
        )
    ),
    source="https://github.com/Kicksecure/derivative-maker/blob/master/help-steps/analyze_image",
)

VMDK_NAME: Final = Rule(
    cause=Cause(
        identifier="vmdk-name",
        title="A VMDK holds the name of its own file",
        explanation="The descriptor in a VMDK names the file that it lies in, as it was called when it was written.",
        fix=render((advice("Convert both under one name, and rename the file afterwards."),)),
        source="https://github.com/qemu/qemu/blob/master/block/vmdk.c",
    ),
    phase=Phase.FORMAT,
    fields=(Field.HEADER,),
    recognise=_is_extent,
)

DISK_UUID: Final = _disk(
    "disk-image-uuid",
    "The identifier of a virtual disk is random",
    "Each conversion gives a VDI or VHD an identifier of its own, by which a hypervisor tells disks apart.",
    containers=("vdi", "vhd", "vhdx"),
    names=_UUIDS,
    source="https://github.com/qemu/qemu/blob/master/block/vdi.c",
)

DISK_TIME: Final = _disk(
    "disk-image-time",
    "A virtual disk says when it was made",
    "The footer of a VHD holds the time of the conversion, and qemu-img does not heed SOURCE_DATE_EPOCH.",
    containers=("vhd", "vhdx"),
    names=("creation_time",),
    source="https://github.com/qemu/qemu/blob/master/block/vpc.c",
)

DISK_FORMAT: Final = _disk(
    "disk-format",
    "The disks are in containers of two formats",
    "One is a raw disk or another hypervisor's; what is in them was compared all the same.",
    containers=("disk",),
    names=("disk_format",),
    fix=render((advice("Compare images of one format, if their own bytes matter: `qemu-img convert -O raw`."),)),
    source="https://www.qemu.org/docs/master/tools/qemu-img.html",
)

QCOW2_PLACES: Final = Rule(
    cause=Cause(
        identifier="qcow2-order",
        title="The clusters of a qcow2 lie in another order",
        explanation="qemu-img convert -W writes clusters as they are read, by several threads at once, and so does a "
        "virtual machine that writes to the disk.",
        fix=render((advice("Convert without -W, and do not boot the image that is to be compared."),)),
        source="https://www.qemu.org/docs/master/tools/qemu-img.html",
    ),
    phase=Phase.FORMAT,
    fields=(Field.REGION,),
    recognise=_is_place,
    follows=Follows.ELSE_CAUSE,
)

DISK_CHECKSUM: Final = Rule(
    cause=Cause(
        identifier="disk-image-checksum",
        title="Checksums of a virtual disk's headers",
        explanation="The checksums follow from what the headers say.",
        fix="",
        source="https://github.com/qemu/qemu/blob/master/block/vpc.c",
    ),
    phase=Phase.DERIVED,
    fields=(Field.HEADER,),
    recognise=partial(_is_fact, containers=("vhd", "vhdx"), names=_CHECKSUMS),
    follows=Follows.ELSE_UNKNOWN,
)
