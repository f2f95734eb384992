"""Walk down two images at once: containers, their entries, the contents of these, and what lies round them."""

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import Final

from ci_toolkit.compare import disks, pairs
from ci_toolkit.compare.bytes import Changes
from ci_toolkit.compare.difference import Difference, Field, Value
from ci_toolkit.compare.digests import Digests
from ci_toolkit.compare.layer import Layer, below, claim, is_moved, record
from ci_toolkit.compare.ledger import Ledger, Steps
from ci_toolkit.compare.once import Once
from ci_toolkit.compare.opening import Opener
from ci_toolkit.compare.spans import gathered, united
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data, Run, alone, joined
from ci_toolkit.images.entry import Container, Entry, Fact, Kind
from ci_toolkit.images.format import Format
from ci_toolkit.images.limits import BeyondLimitError, Budget
from ci_toolkit.images.packed import is_alike, origin
from ci_toolkit.images.read import COMPRESSIONS, describe, identify

_WITH_CONTENT: Final = frozenset({Kind.FILE, Kind.PARTITION, Kind.SECTION, Kind.STREAM, Kind.DISK})
_SHELLS: Final = frozenset({Kind.PARTITION, Kind.DISK})


class Walker:
    """Enters differences and what was skipped into a ledger, within one budget."""

    def __init__(self, budget: Budget, *, keep_contents: bool = False, hashed: bool = True) -> None:
        self.ledger = Ledger(budget.limits.differences, budget.limits.times, keep_contents=keep_contents)
        self._budget = budget
        self._digests = Digests(wanted=hashed)
        self._once = Once(budget, self._digests.of)
        self._opener = Opener(budget, self.ledger)

    def images(self, a: Data, b: Data, changes: Changes, names: tuple[str, str]) -> None:
        """Compare the outermost images, which differ.

        Raises UnreadableError, with the image's name in front, when one is not what it claims to be.
        """
        formats = identify(a), identify(b)
        if formats[0] is None or formats[1] is None or formats[0].name != formats[1].name:
            self._unlike(a, b, changes, names)
            return
        try:
            containers = [
                self._outermost(known, data, name)
                for known, data, name in zip(formats, (a, b), names, strict=True)
                if known is not None
            ]
        except BeyondLimitError as error:
            self.ledger.skip((), error.message)
            self._content((), a, b, "", changes=changes)
            return
        layer = Layer(path=(), depth=0, one=containers[0], other=containers[1], a=a, b=b, changes=changes)
        if layer.one.transparent:
            self.containers(layer)
            self._remainder(layer)
            return
        place = len(self.ledger.found)
        self._content((), a, b, layer.one.format, opened=True)
        self.containers(layer)
        if layer.one.format in COMPRESSIONS and len(self.ledger.found) > place + 1:
            self.ledger.found[place] = replace(self.ledger.found[place], bytes=claim(changes, a, b))
        else:
            self._remainder(layer)

    def trees(self, one: Container, other: Container) -> None:
        """Compare two directories of this machine."""
        self.containers(Layer(path=(), depth=0, one=one, other=other))

    def kinds(self, before: str, after: str, changed: int = 0) -> None:
        """Say that the inputs are of two kinds, so that nothing in them can be paired."""
        self.ledger.add(Difference(path=(), field=Field.KIND, container="", before=before, after=after, bytes=changed))

    def settle(self) -> None:
        """Wait for what was begun beside the walk. No more differences come."""
        for index, found in enumerate(self.ledger.found):
            self.ledger.found[index] = self._digests.settled(found, self.ledger.skip)

    def close(self) -> None:
        """Give up what was begun beside the walk; the images may be closed then."""
        self._digests.close()

    def containers(self, layer: Layer) -> None:
        """Compare two containers of one format: facts, entries, then what belongs to no entry."""
        if layer.changes is not None and layer.a is not None and layer.b is not None:
            self.ledger.map((layer.one, layer.a), (layer.other, layer.b), layer.changes)
        for side, container in (("first", layer.one), ("second", layer.other)):
            for path, reason in container.skipped:
                self.ledger.skip(below(layer.path, path), f"{side} image: {reason}")
        self._facts(layer, layer.path, layer.one.facts, layer.other.facts)
        self._entries(layer)
        self._regions(layer)

    def _unlike(self, a: Data, b: Data, changes: Changes, names: tuple[str, str]) -> None:
        before, after = describe(a), describe(b)
        if not {before, after}.isdisjoint(disks.FORMATS):
            self.ledger.add(disks.formats(before, after, changes.total))
            try:
                one, other = (disks.taken_out(x, self._budget, name) for x, name in zip((a, b), names, strict=True))
                shell = Container(format="disk", entries=())
                self._disks(Layer(path=(), depth=0, one=shell, other=shell), (), one, other)
            except BeyondLimitError as error:
                self.ledger.skip((), error.message)
            return
        containers = [known for known in (identify(a), identify(b)) if known is not None]
        if containers:
            self.kinds(before, after, changes.total)
        else:
            self._content((), a, b, "", changes=changes)

    def _outermost(self, known: Format, data: Data, name: str) -> Container:
        try:
            return known.read(data, self._budget)
        except BeyondLimitError:
            raise
        except UnreadableError as error:
            raise UnreadableError(
                f"{name}: {error.message}", hint="Fetch or build that image again: it is damaged or not whole."
            ) from error

    def _facts(self, layer: Layer, path: Steps, one: Collection[Fact], other: Collection[Fact]) -> None:
        for before, after in pairs.facts(one, other):
            changed = sum(
                layer.changes.claim(data.located(*place))
                for data, fact in ((layer.a, before), (layer.b, after))
                for place in fact.places
                if layer.changes is not None and data is not None and sum(place) <= data.size
            )
            self.ledger.add(
                Difference(
                    path=path, field=Field.HEADER, name=before.name, container=layer.one.format,
                    before=before.value, after=after.value, bytes=changed,
                )
            )  # fmt: skip

    def _entries(self, layer: Layer) -> None:
        before, after = pairs.keyed(layer.one.entries), pairs.keyed(layer.other.entries)
        moved: list[tuple[Entry, Entry]] = []
        for key, entry in before.items():
            if self.ledger.is_cut():
                return
            partner = after.get(key)
            if partner is entry:
                continue  # who read both has seen that they are equal
            if not self._is_paid(layer, entry, partner):
                continue
            if partner is None:
                self._presence(layer, entry, first=True)
            elif self._entry(layer, entry, partner) and is_moved(layer, entry, partner):
                moved.append((entry, partner))
        for key, entry in after.items():
            if self.ledger.is_cut():
                return
            if key not in before and self._is_paid(layer, entry, None):
                self._presence(layer, entry, first=False)
        if moved:
            changed = sum(claim(layer.changes, x.data, y.data) for x, y in moved)
            self.ledger.add(
                Difference(
                    path=layer.path, field=Field.LAYOUT, container=layer.one.format,
                    before=0, after=len(moved), bytes=changed,
                )
            )  # fmt: skip
        if (names := pairs.order(before, after)) is not None:
            self.ledger.add(
                Difference(
                    path=layer.path, field=Field.ORDER, container=layer.one.format, before=names[0], after=names[1]
                )
            )

    def _is_paid(self, layer: Layer, x: Entry, y: Entry | None) -> bool:
        try:
            self._once.pay(x.data, y.data if y is not None else None)
        except BeyondLimitError as error:
            self.ledger.skip(below(layer.path, x.path), error.message)
            return False
        return True

    def _presence(self, layer: Layer, entry: Entry, *, first: bool) -> None:
        changed = claim(layer.changes, entry.data, None)
        changed += record(layer, entry if first else None, None if first else entry)
        kind = str(entry.kind)
        self.ledger.add(
            Difference(
                path=below(layer.path, entry.path), field=Field.PRESENCE, container=layer.one.format,
                before=kind if first else None, after=None if first else kind, bytes=changed,
            )
        )  # fmt: skip

    def _entry(self, layer: Layer, x: Entry, y: Entry) -> bool:
        """Compare two entries of one name. Return whether their contents are equal."""
        path = below(layer.path, x.path)
        if x.kind is not y.kind:
            changed = claim(layer.changes, x.data, y.data) + record(layer, x, y)
            self.ledger.add(
                Difference(
                    path=path, field=Field.KIND, container=layer.one.format,
                    before=str(x.kind), after=str(y.kind), bytes=changed,
                )
            )  # fmt: skip
            return False
        is_claimed = False
        for field, name, before, after in pairs.properties(x, y):
            # Bytes that are told of no difference here are left to those of the container.
            if self.ledger.is_full(field):
                continue
            # The first of them has what there is.
            changed = 0 if is_claimed else record(layer, x, y)
            is_claimed = True
            self.ledger.add(
                Difference(
                    path=path, field=field, name=name, container=layer.one.format,
                    before=before, after=after, bytes=changed,
                )
            )  # fmt: skip
        self._facts(layer, path, x.facts, y.facts)
        if x.kind not in _WITH_CONTENT or x.data is None or y.data is None:
            return True
        try:
            if self._equal(layer.changes, x.data, y.data):
                return True
        except UnreadableError as error:
            self.ledger.skip(path, error.message)
        if x.kind is Kind.DISK and not disks.is_in_place(layer.changes, x.data, y.data):
            self._disks(layer, path, x.data, y.data)
        else:
            self._inside(layer, path, x.kind, x.data, y.data)
        return False

    def _equal(self, changes: Changes | None, a: Data, b: Data) -> bool:
        """Tell whether two contents are equal, without reading them where they lie in the same untouched bytes."""
        if not a.size and not b.size:
            return True
        if changes is not None and is_alike(a, b):
            one, other = origin(a), origin(b)
            if changes.of(one, other):
                differs = changes.differs(one.runs)
                # What is packed in two ways may be the same all the same.
                if not differs or one is a:
                    return not differs
        if a.size != b.size:
            return False
        return self._once.first(a, b) is None

    def _inside(self, layer: Layer, path: Steps, kind: Kind, a: Data, b: Data) -> None:
        """List two contents that differ, and what differs inside them."""
        if kind is Kind.PARTITION and not self._once.is_new(a, b):
            self.ledger.skip(path, "another partition of the same place was looked into")
            return
        opened = self._opener.open(path, layer.depth + 1, a, b, layer.changes)
        if opened is None:
            self._content(path, a, b, layer.one.format, changes=layer.changes)
            return
        one, other = opened.one, opened.other
        is_shell = one.transparent and kind in _SHELLS
        is_listed = not is_shell and kind is not Kind.STREAM
        index = self._content(path, a, b, layer.one.format, opened=True) if is_listed else None
        inner = Layer(
            path=path, depth=layer.depth + 1, one=one, other=other, a=a, b=b,
            changes=layer.changes if is_shell else None,
        )  # fmt: skip
        count = len(self.ledger.found)
        if one.format != other.format:
            self.ledger.add(
                Difference(
                    path=path, field=Field.HEADER, name="compression", container=layer.one.format,
                    before=one.format, after=other.format,
                )
            )  # fmt: skip
        self._opener.walk(path, opened, lambda: self.containers(inner))
        if is_listed and layer.changes is not None:
            # Not before: which bytes differ may be found out meanwhile.
            layer.changes.afterwards(partial(self._claim, index, layer.changes, a, b))
        if is_shell:
            self._remainder(inner)
        elif len(self.ledger.found) == count:
            self._content(path, a, b, one.format, field=Field.REGION, name=one.remainder)

    def _claim(self, index: int | None, changes: Changes, a: Data, b: Data) -> None:
        """Claim two contents for the difference at INDEX, if it is listed."""
        changed = claim(changes, a, b)
        if index is not None:
            self.ledger.claimed(index, changed)

    def _disks(self, layer: Layer, path: Steps, a: Data, b: Data) -> None:
        """Compare two disks that lie in clusters all over their files, by places of their own.

        Their bytes are counted where they lie in the files, and so not here.
        """
        place = len(self.ledger.found)
        one, other = alone(a), alone(b)
        try:
            self._budget.read(disks.held(one) + disks.held(other))
            changes = Changes(one, other)
            if changes.total:
                self._inside(replace(layer, a=one, b=other, changes=changes), path, Kind.DISK, one, other)
        except UnreadableError as error:
            self.ledger.skip(path, error.message)
        self.ledger.found[place:] = [replace(found, bytes=0) for found in self.ledger.found[place:]]

    def _regions(self, layer: Layer) -> None:
        """List the container's own bytes that differ, by the names of its regions."""
        names = dict.fromkeys(region.name for region in (*layer.one.regions, *layer.other.regions))
        for name in names:
            a, b = (
                joined(region.data for region in container.regions if region.name == name)
                for container in (layer.one, layer.other)
            )
            if layer.changes is not None:
                changed = claim(layer.changes, a, b)
                if changed:
                    self._content(
                        layer.path, a, b, layer.one.format, field=Field.REGION, name=name, changed=changed
                    )  # fmt: skip
            elif not self._equal(None, a, b):
                self._content(layer.path, a, b, layer.one.format, field=Field.REGION, name=name)

    def _remainder(self, layer: Layer) -> None:
        """List what still differs in a container whose bytes are accounted for."""
        if layer.changes is None or layer.a is None or layer.b is None:
            return
        spans = united([*layer.changes.left(layer.a.runs), *layer.changes.left(layer.b.runs)])
        if spans:
            a, b = (gathered(data, spans) for data in (layer.a, layer.b))
            changed = layer.changes.claim(Run(0, length, offset) for offset, length in spans)
            self._content(
                layer.path, a, b, layer.one.format, field=Field.REGION, name=layer.one.remainder, changed=changed
            )  # fmt: skip

    def _content(
        self,
        path: Steps,
        a: Data,
        b: Data,
        container: str,
        *,
        field: Field = Field.CONTENT,
        name: str | None = None,
        opened: bool = False,
        changes: Changes | None = None,
        changed: int = 0,
    ) -> int | None:
        """Add a difference of two contents; `changes` are claimed for it, or `changed` were already.

        Return its index, None if no more are listed.
        """
        if self.ledger.is_full(field):
            claim(changes, a, b)
            return None
        return self.ledger.add(
            Difference(
                path=path, field=field, name=name, container=container, opened=opened,
                before=self._keep(path, a), after=self._keep(path, b),
                bytes=changed + claim(changes, a, b), first_offset=self._first(a, b),
            ),
            (a, b) if field is Field.CONTENT else None,
        )  # fmt: skip

    def _keep(self, path: Steps, data: Data) -> Value:
        try:
            return self._once.keep(data)
        except UnreadableError as error:
            self.ledger.skip(path, error.message)
            return None

    def _first(self, a: Data, b: Data) -> int | None:
        try:
            return self._once.first(a, b)
        except UnreadableError:
            return None
