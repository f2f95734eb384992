"""build-record.json, as `build-record.schema.json` has it. Anybody may have written one: nothing in it is trusted."""

import json
import re
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from ci_toolkit.host.environment import NORMAL, Environment
from ci_toolkit.mkosi.build import Artefact
from ci_toolkit.mkosi.manifest import LIMIT_PACKAGES
from ci_toolkit.records.node import Node, read
from ci_toolkit.records.record import NAME, Image, Installed, Origin, Record, Varying
from ci_toolkit.runners.runner import ToolkitImage

SCHEMA: Final = 1
# A directory image of 100,000 files has one of 15 MB.
LIMIT_BYTES: Final = 16 << 20

_OUTPUTS: Final = 250_000
_WORDS: Final = 1_000
_COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_ID: Final = re.compile(r"sha256:[0-9a-f]{64}")
_PINNED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,200}@sha256:[0-9a-f]{64}")
_UUID: Final = re.compile(r"([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?")
_VERDICT: Final = re.compile(r"identical|different")
_UMASK: Final = re.compile(r"0[0-7]{3}")
_HINT: Final = "Give the build-record.json that build or verify wrote, as it was written."


def write(record: Record, directory: Path) -> None:
    """Write RECORD into DIRECTORY, whole or not at all; nothing that a build left in its place is followed."""
    with tempfile.NamedTemporaryFile("w", encoding="ascii", dir=directory, delete=False) as file:
        file.write(render(record))
    made = Path(file.name)
    made.chmod(0o644)
    made.replace(directory / NAME)


def render(record: Record) -> str:
    """Return RECORD as JSON, pure ASCII, in an order that is always the same."""
    image = record.toolkit_image
    document = {
        "schema": SCHEMA,
        "toolkit": record.toolkit,
        "source": asdict(record.origin),
        "image": asdict(record.image),
        "runner": record.runner,
        "container_image": None if image is None else asdict(image),
        "tools": dict(record.tools),
        "surroundings": _told(record.surroundings),
        "command": list(record.command),
        "packages": None if record.packages is None else [asdict(one) for one in record.packages],
        "main": record.main,
        "outputs": [asdict(one) for one in record.outputs],
        "varying": asdict(record.varying),
    }
    return json.dumps(document, indent=1) + "\n"


def _told(surroundings: Environment) -> dict[str, object]:
    """What decides bits: not how many processors there were, nor which of two builds was the first."""
    return {
        "hostname": surroundings.hostname,
        "build_path": surroundings.build_path,
        "locale": surroundings.locale,
        "zone": surroundings.zone,
        "home": surroundings.home,
        "umask": f"{surroundings.umask:04o}",
        "first_id": surroundings.first_id,
    }


def parse(content: bytes) -> Record:
    """Return the record that CONTENT holds. Raises UnreadableError, with one line, for anything else."""
    document = read(content, "the record", SCHEMA, _HINT)
    return Record(
        toolkit=document.member("toolkit").text(),
        origin=_origin(document.member("source")),
        image=_image(document.member("image")),
        runner=document.member("runner").matching(_NAME, "the name of a runner"),
        toolkit_image=document.member("container_image").optional(_toolkit_image),
        tools=_tools(document.member("tools")),
        surroundings=_surroundings(document.member("surroundings")),
        command=document.member("command").each(Node.text, _WORDS),
        packages=document.member("packages").optional(lambda found: found.each(_package, LIMIT_PACKAGES)),
        main=document.member("main").path(),
        outputs=document.member("outputs").each(_output, _OUTPUTS),
        varying=_varying(document.member("varying")),
    )


def _origin(node: Node) -> Origin:
    return Origin(
        repository=node.member("repository").optional(Node.text),
        commit=node.member("commit").optional(lambda commit: commit.matching(_COMMIT, "a commit")),
        dirty=node.member("dirty").truth(),
        directory=node.member("directory").path(),
        digest=node.member("digest").sha256(),
        left_out=node.member("left_out").each(Node.path, _WORDS),
    )


def _image(node: Node) -> Image:
    return Image(
        name=node.member("name").path(),
        distribution=node.member("distribution").text(),
        release=node.member("release").text(),
        architecture=node.member("architecture").text(),
        format=node.member("format").text(),
        profiles=node.member("profiles").each(lambda profile: profile.matching(_NAME, "a profile's name"), _WORDS),
        arguments=node.member("arguments").each(Node.text, _WORDS),
        snapshot=node.member("snapshot").optional(Node.text),
        mirror=node.member("mirror").optional(Node.text),
        suites=node.member("suites").each(Node.text, _WORDS),
        epoch=node.member("epoch").optional(Node.integer),
        seed=node.member("seed").matching(_UUID, "a UUID"),
    )


def _toolkit_image(node: Node) -> ToolkitImage:
    return ToolkitImage(
        name=node.member("name").text(),
        id=node.member("id").matching(_ID, "a digest"),
        digests=node.member("digests").each(lambda one: one.matching(_PINNED, "a name with a digest"), _WORDS),
    )


def _tools(node: Node) -> tuple[tuple[str, str], ...]:
    found = node.object()
    if len(found) > _WORDS:
        node.refuse("the versions of programs")
    return tuple((name, node.member(name).text()) for name in found)


def _surroundings(node: Node) -> Environment:
    return replace(
        NORMAL,
        hostname=node.member("hostname").text(),
        build_path=node.member("build_path").text(),
        locale=node.member("locale").text(),
        zone=node.member("zone").text(),
        home=node.member("home").text(),
        umask=int(node.member("umask").matching(_UMASK, "a umask"), 8),
        first_id=node.member("first_id").integer(),
    )


def _package(node: Node) -> Installed:
    return Installed(
        name=node.member("name").text(),
        architecture=node.member("architecture").text(),
        version=node.member("version").text(),
        sha256=node.member("sha256").optional(Node.sha256),
    )


def _output(node: Node) -> Artefact:
    return Artefact(
        name=node.member("name").path(), size=node.member("size").integer(), sha256=node.member("sha256").sha256()
    )


def _varying(node: Node) -> Varying:
    return Varying(
        started=node.member("started").seconds(),
        seconds=node.member("seconds").seconds(),
        place=node.member("place").text(),
        run_url=node.member("run_url").optional(Node.text),
        verdict=node.member("verdict").optional(lambda verdict: verdict.matching(_VERDICT, "a verdict")),
    )
