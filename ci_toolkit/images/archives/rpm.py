"""RPM packages: the tags of both headers as facts, and the payload, which is mostly a compressed cpio archive."""

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.archives.rpm_header import Header, read_header
from ci_toolkit.images.archives.rpm_tags import SIGNATURE_TAGS, TAGS
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container, Entry, Fact, Kind, Region
from ci_toolkit.images.limits import Budget

_MAGIC = b"\xed\xab\xee\xdb"
_LEAD = 96
_LEAD_NAME = 10, 66
_SIGNATURE = "signature"


def recognise(data: Data) -> bool:
    return data.read_at(0, len(_MAGIC)) == _MAGIC


def read(data: Data, budget: Budget) -> Container:
    """Read lead, signature and header. Raises UnreadableError for a package that is damaged or cut."""
    lead = data.read_at(0, _LEAD)
    if len(lead) < _LEAD:
        raise UnreadableError(f"the RPM package ends at byte {data.size}, inside its lead: it is cut")
    signature = read_header(data, _LEAD, budget)
    header = read_header(data, signature.end + -signature.end % 8, budget)
    name = lead[_LEAD_NAME[0] : sum(_LEAD_NAME)].partition(b"\0")[0].decode("utf-8", "replace")
    payload = data.window(header.end, data.size - header.end)
    return Container(
        format="rpm",
        entries=(Entry(path="", kind=Kind.STREAM, size=payload.size, data=payload),),
        facts=(
            Fact(name="lead.name", value=name, places=(_LEAD_NAME,)),
            *_facts(signature, SIGNATURE_TAGS, f"{_SIGNATURE}."),
            *_facts(header, TAGS, ""),
        ),
        regions=tuple(
            Region(name=name, data=data.window(start, end - start))
            for name, start, end in (
                ("lead", 0, _LEAD),
                ("signature header", signature.start, header.start),
                ("package header", header.start, header.end),
            )
        ),
        remainder="packed payload",
    )


def _facts(header: Header, names: dict[int, str], prefix: str) -> tuple[Fact, ...]:
    return tuple(
        Fact(name=prefix + names.get(tag.number, f"tag {tag.number}"), value=tag.value, places=(tag.place,))
        for tag in header.tags
    )
