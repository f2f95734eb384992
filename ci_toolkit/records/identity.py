"""Times and identifiers of what is told from a record: the same for the same bits, whoever tells them, and when."""

import hashlib
import json
import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

from ci_toolkit.mkosi.source import FALLBACK_EPOCH
from ci_toolkit.records.record import Record

# The name space of derived identifiers; never change it, or every document of everybody gets another one.
_NAMESPACE: Final = uuid.UUID("0e2a7a43-6a53-5d0e-8f2c-5b0f2f5a4a11")
# The last second that a time of four digits for the year can tell.
_LAST: Final = 253_402_300_799


def unique(record: Record, kind: str) -> uuid.UUID:
    """Return an identifier of a document of KIND about the image of RECORD: by all but what varies."""
    facts = {name: value for name, value in asdict(record).items() if name != "varying"}
    text = json.dumps(facts, sort_keys=True)
    return uuid.uuid5(_NAMESPACE, f"{kind} {hashlib.sha256(text.encode()).hexdigest()}")


def created(record: Record) -> str:
    """Return the image's own time, SOURCE_DATE_EPOCH, as ISO 8601 in UTC."""
    epoch = FALLBACK_EPOCH if record.image.epoch is None else min(record.image.epoch, _LAST)
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def version(record: Record) -> str:
    """Return what stands for the version of the image: its commit, or the digest of its definition."""
    return record.origin.commit or record.origin.digest


def plain(text: str) -> str:
    """Return TEXT with what no document can hold, halves of characters, as "?"."""
    return text.encode("utf-8", "replace").decode("utf-8")
