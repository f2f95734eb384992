"""Both disks as they are divided, and below each other the places that each cause touches."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ci_toolkit.compare.comparison import Comparison
from ci_toolkit.compare.parts import Disk, Part
from ci_toolkit.reports import outline
from ci_toolkit.reports.escape import html, html_prose
from ci_toolkit.reports.html.elements import card, code, table
from ci_toolkit.reports.html.marks import mark
from ci_toolkit.reports.outline import Group

Span = tuple[int, int]

# Across the picture there are this many places; no screen shows more.
_CELLS: Final = 1_000
_LANES: Final = 24
# A partition is at least this wide, so that it can be seen, a gap this wide.
_PART_LEAST: Final = 0.02
_GAP_LEAST: Final = 0.004
_BAR_HEIGHT: Final = 34
_LANE_HEIGHT: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """From a place on the disk to one in the picture, between 0 and 1: true to size within each partition and gap."""

    places: tuple[int, ...]
    shown: tuple[float, ...]

    def at(self, offset: int) -> float:
        offset = min(max(offset, 0), self.places[-1])
        index = min(bisect_right(self.places, offset) - 1, len(self.places) - 2)
        begin, end = self.places[index : index + 2]
        low, high = self.shown[index : index + 2]
        return low + (high - low) * (offset - begin) / (end - begin)


def render(comparison: Comparison | None, found: Sequence[Group]) -> str:
    """Return the picture as a card, "" where no disk was compared."""
    if comparison is None or comparison.disks is None or not any(disk.parts for disk in comparison.disks):
        return ""
    scale = _scale(comparison.disks)
    if scale is None:
        return ""
    first, second = comparison.disks
    lanes = [_lane(number, group, first, scale) for number, group in enumerate(found[:_LANES], 1)]
    # Of a path the end tells the two apart, and the rest does not fit.
    names = [code(html("/".join(side.name.split("/")[-2:]))) for side in (comparison.a, comparison.b)]
    rows = [
        _row("first", f'<span class="quiet">first</span> {names[0]}', _bar(first, scale)),
        *(lane for lane in lanes if lane),
        _row("second", f'<span class="quiet">second</span> {names[1]}', _bar(second, scale)),
    ]
    told = "Solid: bytes of the cause itself. Pale: what only follows from it. Small partitions are drawn wider."
    picture = "\n".join(['<div class="disk">', *rows, "</div>"])
    return card(
        f'<h2>Where they differ</h2>\n{picture}\n<p class="quiet">{told}</p>\n{_parts(comparison)}', name="disk"
    )


def _scale(disks: tuple[Disk, Disk]) -> Scale | None:
    """Lay out the union of both disks' partitions. Stored disks may be nonsense: what lies outside is left out."""
    size = max(disk.size for disk in disks)
    parts = {_clipped(part, size) for disk in disks for part in disk.parts}
    places = sorted({0, size, *(edge for part in parts for edge in part)})
    if size <= 0 or len(places) < 2:
        return None
    covered = [any(low <= begin < high for low, high in parts) for begin in places[:-1]]
    least = [_PART_LEAST if inside else _GAP_LEAST for inside in covered]
    widths = [max((end - begin) / size, floor) for begin, end, floor in zip(places, places[1:], least, strict=False)]
    total, shown = 0.0, [0.0]
    for width in widths:
        total += width
        shown.append(total)
    return Scale(places=tuple(places), shown=tuple(one / total for one in shown))


def _clipped(part: Part, size: int) -> Span:
    return min(part.offset, size), min(part.offset + part.size, size)


def _row(kind: str, label: str, picture: str) -> str:
    return f'<div class="{kind}"><div class="label">{label}</div>{picture}</div>'


def _svg(height: int, inside: str) -> str:
    return f'<svg class="track" width="100%" height="{height}" aria-hidden="true">{inside}</svg>'


def _bar(disk: Disk, scale: Scale) -> str:
    end = scale.at(disk.size)
    parts = [f'<rect class="gap" x="0" y="0" width="{_percent(end)}" height="{_BAR_HEIGHT}" rx="4"/>']
    for part in disk.parts:
        low, high = scale.at(part.offset), scale.at(part.offset + part.size)
        place = f'x="{_percent(low)}" y="0" width="{_percent(high - low)}" height="{_BAR_HEIGHT}"'
        name = f"{html(part.name)} " if part.name else ""
        about = f"{html(part.format)}, {outline.size(part.size)}"
        parts.append(
            f"<svg {place}><title>{name}{about}</title>"
            f'<rect class="part" width="100%" height="100%" rx="4"/>'
            f'<text class="name" x="8" y="15">{name or html(part.format)}</text>'
            f'<text class="about" x="8" y="28">{about}</text></svg>'
        )
    return _svg(_BAR_HEIGHT, "".join(parts))


def _lane(number: int, group: Group, disk: Disk, scale: Scale) -> str:
    """Return the row of a cause, "" where it has no place on the disk."""
    own = _cells(group.finding.spans, scale)
    following = _cells((span for one in group.consequences for span in one.spans), scale)
    if not own and not following:
        return ""
    here = mark(number, group)
    beds = "".join(
        f'<rect class="bed" x="{_percent(low)}" width="{_percent(high - low)}" height="{_LANE_HEIGHT}"/>'
        for low, high in ((scale.at(part.offset), scale.at(part.offset + part.size)) for part in disk.parts)
    )
    shown = "".join([beds, *_rects(following, f"follows {here.colour}"), *_rects(own, here.colour)])
    label = f'<a href="#cause-{number}">{here.badge} <span>{html_prose(group.finding.title)}</span></a>'
    return _row("lane", label, _svg(_LANE_HEIGHT, shown))


def _cells(spans: Iterable[Span], scale: Scale) -> list[Span]:
    """Return the cells (first, end) of the picture in which SPANS lie, neighbours as one."""
    found: list[Span] = []
    for offset, length in sorted(spans):
        low = int(scale.at(offset) * _CELLS)
        high = max(int(scale.at(offset + length) * _CELLS), low + 1)
        if found and low <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], high)
        else:
            found.append((low, high))
    return found


def _rects(cells: Iterable[Span], kind: str) -> Iterable[str]:
    for low, high in cells:
        yield (
            f'<rect class="{kind}" x="{_percent(low / _CELLS)}" y="2" width="{_percent((high - low) / _CELLS)}" '
            f'height="{_LANE_HEIGHT - 4}"/>'
        )


def _percent(share: float) -> str:
    return f"{share * 100:.3f}".rstrip("0").rstrip(".") + "%"


def _parts(comparison: Comparison) -> str:
    """What the picture shows, in words and numbers."""
    assert comparison.disks is not None
    differing: defaultdict[str, int] = defaultdict(int)
    for difference in comparison.differences:
        if difference.path:
            differing[difference.path[0]] += difference.bytes
    sides = [{part.name: part for part in disk.parts} for disk in comparison.disks]
    names = list(dict.fromkeys(name for side in sides for name in side if name))
    rows = [_part(name, [side.get(name) for side in sides], differing.get(name, 0)) for name in names]
    return table(("partition", "holds", "size", "differing bytes"), rows, numbers=(2, 3)) if rows else ""


def _part(name: str, parts: Sequence[Part | None], differing: int) -> tuple[str, ...]:
    formats = dict.fromkeys(html(part.format) if part else "nothing" for part in parts)
    sizes = dict.fromkeys(outline.size(part.size) if part else "–" for part in parts)
    return (
        f"<td><code>{html(name)}</code></td>",
        f"<td>{' → '.join(formats)}</td>",
        f'<td class="number">{" → ".join(sizes)}</td>',
        f'<td class="number">{f"{differing:,}" if differing else "none"}</td>',
    )
