"""Container images: what their documents say besides the layers."""

import re
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules.remedy import advice, render, setting
from ci_toolkit.compare.rules.rule import Phase, Rule

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_NAMES: Final = (".io.containerd.image.name", ".org.opencontainers.image.ref.name", ".RepoTags")
_ATTESTATION: Final = re.compile(r"(?:.* )?attestation \d+ .*")


def _ends(difference: Difference, *names: str) -> bool:
    return difference.container == "oci" and (difference.name or "").endswith(names)


def _is_created(difference: Difference, _facts: Facts) -> bool:
    values = (difference.before, difference.after)
    dated = all(isinstance(value, str) and _MOMENT.fullmatch(value) for value in values)
    return dated and _ends(difference, ".created", ".org.opencontainers.image.created")


def _is_mkosi_version(difference: Difference, _facts: Facts) -> bool:
    return _ends(difference, ".io.systemd.mkosi.version")


def _is_name(difference: Difference, _facts: Facts) -> bool:
    return _ends(difference, *_NAMES)


def _is_attestation(difference: Difference, _facts: Facts) -> bool:
    if difference.field is Field.HEADER:
        return difference.container == "oci" and ".vnd.docker.reference." in (difference.name or "")
    name = difference.path[-1] if difference.path else ""
    return difference.container == "oci" and _ATTESTATION.fullmatch(name) is not None


def _is_form(difference: Difference, _facts: Facts) -> bool:
    return difference.container == "oci" and difference.name == "image_form"


OCI_FORM: Final = Rule(
    cause=Cause(
        identifier="oci-form",
        title="One container image lies in a directory, the other in an archive",
        explanation="What is in them was compared all the same; owners, modes and times of its files are the packer's.",
        fix=render((advice("Compare images of one form, if their own bytes matter."),)),
        source="https://github.com/opencontainers/image-spec/blob/main/image-layout.md",
    ),
    phase=Phase.FORMAT,
    fields=(Field.HEADER,),
    recognise=_is_form,
)

OCI_CREATED: Final = Rule(
    cause=Cause(
        identifier="oci-created",
        title="A container image says when it was made",
        explanation="The configuration of the image and its history hold the time at which each layer was made.",
        fix=render(
            (
                setting("Content", "SourceDateEpoch=<seconds of the last commit: git log -1 --format=%ct>"),
                advice("buildah has --timestamp, umoci has --created, and BuildKit takes SOURCE_DATE_EPOCH."),
            )
        ),
        source="https://github.com/opencontainers/image-spec/blob/main/config.md",
    ),
    phase=Phase.FORMAT,
    fields=(Field.HEADER,),
    recognise=_is_created,
)

OCI_MKOSI_VERSION: Final = Rule(
    cause=Cause(
        identifier="oci-mkosi-version",
        title="A container image names the mkosi that built it",
        explanation="mkosi notes its own version in an annotation of the image.",
        fix=render(
            (
                setting("Output", "OciAnnotations=io.systemd.mkosi.version=27"),
                advice("Better: build with one mkosi everywhere, from a pinned container."),
            )
        ),
        source="https://github.com/systemd/mkosi/blob/main/mkosi/__init__.py",
    ),
    phase=Phase.INPUT,
    fields=(Field.HEADER,),
    recognise=_is_mkosi_version,
)

OCI_NAME: Final = Rule(
    cause=Cause(
        identifier="oci-image-name",
        title="A container image has another name",
        explanation="The tool that stored the image noted the name or tag that it had on that machine.",
        fix=render((advice("Compare by the digest of the manifest, which the name is no part of."),)),
        source="https://github.com/reproducible-containers/diffoci/issues/266",
    ),
    phase=Phase.FORMAT,
    fields=(Field.HEADER,),
    recognise=_is_name,
)

OCI_ATTESTATION: Final = Rule(
    cause=Cause(
        identifier="oci-attestation",
        title="A container image carries a statement about its own build",
        explanation="BuildKit adds a statement of provenance to the index of the image, with times and addresses of "
        "that one build.",
        fix=render((advice("Build with --provenance=false, or compare the image's manifest instead of the index."),)),
        source="https://github.com/docker-library/official-images/issues/16044",
    ),
    phase=Phase.FORMAT,
    fields=(Field.HEADER, Field.PRESENCE, Field.CONTENT),
    recognise=_is_attestation,
)
