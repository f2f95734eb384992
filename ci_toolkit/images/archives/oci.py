"""Container images: OCI layouts and what `docker save` writes, by the roles of their files instead of their digests.

A layer is called "layer 2" and not by a digest, which differs with every byte inside; so both sides can be paired.
Whiteouts are members of their layers, under the names that they have there.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace
from operator import attrgetter, itemgetter
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.archives import oci_records, tar, tar_header
from ci_toolkit.images.archives.oci_records import Json
from ci_toolkit.images.archives.tar_header import BLOCK
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Entry, Fact, Kind, Region
from ci_toolkit.images.limits import BeyondLimitError, Budget

FORMAT: Final = "oci"

_HEADERS_MAX: Final = 2048
_SIGNS: Final = ("oci-layout", "manifest.json")
# What else may stand in front of those; anything else tells at once that an archive is none.
_PARTS: Final = re.compile(
    r"blobs(?:/[a-z0-9+._-]+(?:/[0-9a-f]+)?)?|index\.json|repositories|[0-9a-f]{64}(?:\.json|\.tar|/json|/VERSION|/layer\.tar)?|"
)
_EXTENDED: Final = b"xgLK"
_DEPTH_MAX: Final = 4
_LINKS_MAX: Final = 8
_ATTESTATION: Final = "vnd.docker.reference.type"


def recognise(data: Data) -> bool:
    """Tell by the names of the first members of a tar archive."""
    position = 0
    for _ in range(_HEADERS_MAX):
        head = data.read_at(position, BLOCK)
        if len(head) < BLOCK or not tar_header.recognise(data.window(position, BLOCK)):
            return False
        name = _plain(head[:100].partition(b"\0")[0].decode("latin-1"))
        if head[156:157] not in _EXTENDED:
            if name in _SIGNS:
                return True
            if not _PARTS.fullmatch(name):
                return False
        digits = head[124:136].strip(b" \0")
        if not digits.isdigit():
            return False
        size = int(digits, 8) if not digits.strip(b"01234567") else 0
        position += BLOCK + (size + BLOCK - 1) // BLOCK * BLOCK
    return False


def read(data: Data, budget: Budget) -> Container:
    """Read the archive, and name its members by what they are. Raises UnreadableError when it is damaged or cut."""
    return arranged(tar.read(data, budget), budget)


def is_layout(container: Container) -> bool:
    """Tell whether a directory, or what an archive holds, is an OCI layout."""
    names = {entry.path.removeprefix("./") for entry in container.entries if entry.kind is Kind.FILE}
    return {"oci-layout", "index.json"} <= names


def arranged(container: Container, budget: Budget) -> Container:
    """Return CONTAINER with its entries by their roles; as it is where its documents tell of none."""
    image = _gathered(container, budget)
    if image is None:
        # Nothing is lost: its members are compared as those of any archive or directory.
        return container
    return replace(
        container,
        format=FORMAT,
        # In an archive they lie in the order of their digests, which tells nothing.
        entries=(*image.entries, *sorted(image.others(), key=attrgetter("path"))),
        facts=(*container.facts, *image.facts),
        regions=(*container.regions, *image.regions),
    )


def alone(container: Container, budget: Budget) -> Container | None:
    """Return the container image that CONTAINER holds, without what an archive or a directory says of its files.

    None where its documents tell of none.
    """
    image = _gathered(container, budget)
    if image is None:
        return None
    entries = (*image.entries, *sorted(image.others(), key=attrgetter("path")))
    files = (entry for entry in entries if entry.kind is Kind.FILE)
    return Container(
        format=FORMAT,
        entries=tuple(Entry(path=entry.path, kind=entry.kind, size=entry.size, data=entry.data) for entry in files),
        facts=tuple(image.facts),
        regions=tuple(image.regions),
        skipped=container.skipped,
    )


def _gathered(container: Container, budget: Budget) -> "_Image | None":
    try:
        image = _Image(container, budget)
        image.gather()
    except BeyondLimitError:
        raise
    except UnreadableError:
        return None
    return image


class _Image:
    """The files of one image or several, and what was made of them so far."""

    def __init__(self, container: Container, budget: Budget) -> None:
        self.entries: list[Entry] = []
        self.facts: list[Fact] = []
        self.regions: list[Region] = []
        self._container = container
        self._files = {_plain(entry.path): entry for entry in container.entries}
        self._used: set[str] = set()
        self._indexes = 0
        self._roles: dict[str, str] = {}
        # Directories of `docker save` that belong to a layer.
        self._directories: dict[str, str] = {}
        self._budget = budget

    def gather(self) -> None:
        """Follow the documents from the outermost. Raises UnreadableError where that one is not there or is none."""
        if "index.json" in self._files:
            index = self._document("index.json", "index")
            self._manifests("", index, 0)
            if "manifest.json" in self._files:
                self._document("manifest.json", "manifest.json")
        else:
            saved = self._document("manifest.json", "manifest.json")
            if not isinstance(saved, list) or not all(isinstance(child, dict) for child in saved):
                raise UnreadableError("manifest.json lists no images")
            for number, image in enumerate(saved, 1):
                self._saved(f"image {number} " if len(saved) > 1 else "", image)
            self._layer_directories()
        if "repositories" in self._files:
            self._document("repositories", "repositories")
        if "oci-layout" in self._files:
            self._document("oci-layout", "oci-layout")

    def others(self) -> Iterator[Entry]:
        """Yield what nothing refers to, in the order of the archive; blobs by their number."""
        number = 0
        for path, entry in self._files.items():
            if path in self._used:
                continue
            directory, _, rest = path.partition("/")
            if re.fullmatch(r"blobs/[^/]+/[0-9a-f]+|[0-9a-f]{64}(\.json|\.tar)", path):
                number += 1
                yield entry._replace(path=f"blob {number} without use")
            elif directory in self._directories:
                role = f"{self._directories[directory]} directory"
                # A link to the layer has its digest for a target.
                target = self._directories[directory] if entry.kind is Kind.SYMLINK else entry.target
                yield entry._replace(path=f"{role}/{rest}" if rest else role, target=target)
            else:
                yield entry

    def _manifests(self, prefix: str, index: Json, depth: int) -> None:
        if depth > _DEPTH_MAX:
            raise UnreadableError(f"indexes lie more than {_DEPTH_MAX} deep in each other")
        descriptors = oci_records.children(index, "manifests")
        labels: set[str] = set()
        for number, descriptor in enumerate(descriptors, 1):
            path = oci_records.blob(descriptor)
            # An image of many platforms is seldom there as a whole.
            if path not in self._files:
                continue
            label = _label(descriptor, number) if len(descriptors) > 1 else ""
            label = f"{label} {number}" if label in labels else label
            labels.add(label)
            inner = f"{prefix}{label} " if label else prefix
            document = self._try(path, f"{inner}manifest")
            if oci_records.child(document, "manifests") is not None:
                self._manifests(inner, document, depth + 1)
                continue
            self._try(oci_records.blob(oci_records.child(document, "config")), f"{inner}config")
            for place, layer in enumerate(oci_records.children(document, "layers"), 1):
                self._layer(oci_records.blob(layer), f"{inner}layer {place}")

    def _saved(self, prefix: str, image: Json) -> None:
        """Take in one image of `docker save`."""
        self._try(_plain(oci_records.word(image, "Config")), f"{prefix}config")
        for place, layer in enumerate(oci_records.children(image, "Layers"), 1):
            path = _plain(layer) if isinstance(layer, str) else ""
            role = f"{prefix}layer {place}"
            self._layer(path, role)

    def _layer_directories(self) -> None:
        """Find the directory that older versions of Docker have for each layer, which may hold nothing but a link."""
        for path in self._files:
            directory, _, name = path.partition("/")
            layer = self._resolved(path) if name == "layer.tar" else None
            role = self._roles.get(_plain(layer.path)) if layer is not None else None
            if role is not None:
                self._directories.setdefault(directory, self._roles.get(path, role))
        # Not in the order of their digests.
        for directory, role in sorted(self._directories.items(), key=itemgetter(1)):
            self._try(f"{directory}/json", f"{role} json")

    def _layer(self, path: str, role: str) -> None:
        entry = self._resolved(path)
        # Layers that are to be fetched from elsewhere are told of by the documents alone.
        if entry is None:
            return
        self._budget.member(role)
        self._used |= {path, _plain(entry.path)}
        for name in (_plain(entry.path), path):
            self._roles.setdefault(name, role)
        self.entries.append(entry._replace(path=role, facts=_lasting(entry)))

    def _try(self, path: str, role: str) -> Json:
        """Take in a document that may be missing, or be something else."""
        try:
            return self._document(path, role)
        except BeyondLimitError:
            raise
        except UnreadableError:
            self._layer(path, role)
            return None

    def _document(self, path: str, role: str) -> Json:
        entry = self._resolved(path)
        if entry is None or entry.data is None:
            raise UnreadableError(f"{path or 'its blob'} is not there")
        self._budget.member(role)
        document, raw = oci_records.parsed(entry, self._budget)
        if path != "index.json" and oci_records.child(document, "manifests") is not None:
            self._indexes += 1
            role = f"inner index {self._indexes}"
        start = sum(entry.record) if entry.record is not None and len(entry.data.runs) == 1 else None
        self.facts += oci_records.facts(role, document, raw, start, self._budget)
        # Its values are facts; what else differs in it, such as a digest, follows from them and the layers.
        self.regions.append(Region(name=f"record of the {role}", data=entry.data))
        self.entries.append(entry._replace(path=role, size=0, data=None, facts=_lasting(entry)))
        self._used |= {path, _plain(entry.path)}
        return document

    def _resolved(self, path: str) -> Entry | None:
        """Return the file at PATH, where layers that are the same are links to each other."""
        for _ in range(_LINKS_MAX):
            entry = self._files.get(path)
            if entry is None or entry.kind is Kind.FILE:
                return entry if entry is not None and entry.data is not None else None
            if entry.kind is not Kind.SYMLINK or entry.target is None:
                return None
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.target))
        return None


def _label(descriptor: Json, number: int) -> str:
    """Name one image of several by its platform."""
    annotations = oci_records.child(descriptor, "annotations")
    if oci_records.word(annotations, _ATTESTATION):
        return f"attestation {number}"
    platform = oci_records.child(descriptor, "platform")
    words = [oci_records.word(platform, key) for key in ("os", "architecture", "variant")]
    return "/".join(word for word in words if word) or f"image {number}"


def _lasting(entry: Entry) -> tuple[Fact, ...]:
    """Return the facts of ENTRY without the name that it is a hard link to."""
    return tuple(fact for fact in entry.facts if fact.name != "hard_link")


def _plain(path: str) -> str:
    return posixpath.normpath(path).lstrip("/") if path.strip("./") else ""
