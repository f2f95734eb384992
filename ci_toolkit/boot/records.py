"""What guest.sh writes on the second serial port: one record a line. The guest may write anything else there."""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final

# Of one record: 256 KiB, as base64, and its head.
LINE_MAX: Final = 400 << 10
# Of all that a guest may say: a hundred checks with their output, and the journal.
TOTAL_MAX: Final = 64 << 20

HELLO: Final = "hello"
STATE: Final = "state"
TIME: Final = "time"
FAILED: Final = "failed"
NET: Final = "net"
OUTPUT: Final = "output"
ENDED: Final = "ended"
JOURNAL: Final = "journal"
END: Final = "end"

_RECORD: Final = re.compile(rb"ci-toolkit ([a-z]{1,16}) ([a-z0-9-]{1,16}) ([A-Za-z0-9+/=]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One thing that the guest told; the text is foreign."""

    kind: str
    name: str
    text: str


@dataclass(kw_only=True)
class Reader:
    """Puts the lines together and yields the records; what is none is passed over."""

    _rest: bytearray = field(default_factory=bytearray)
    _skipping: bool = False
    _left: int = TOTAL_MAX

    def feed(self, chunk: bytes) -> list[Record]:
        """Return the records that CHUNK completes."""
        chunk = chunk[: self._left]
        self._left -= len(chunk)
        found = []
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            if not self._skipping and len(self._rest) + len(line) <= LINE_MAX:
                record = _record(bytes(self._rest) + line)
                found += [record] if record is not None else []
            self._rest.clear()
            self._skipping = False
        if len(self._rest) + len(rest) > LINE_MAX:
            self._rest.clear()
            self._skipping = True
        elif not self._skipping:
            self._rest += rest
        return found


def _record(line: bytes) -> Record | None:
    # Firmware may have written to this port before, without a newline.
    start = line.rfind(b"ci-toolkit ")
    match = _RECORD.fullmatch(line[max(start, 0) :].rstrip(b"\r"))
    if match is None:
        return None
    kind, name, text = match.groups()
    try:
        decoded = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return Record(kind=kind.decode(), name=name.decode(), text=decoded.decode("utf-8", "backslashreplace"))
