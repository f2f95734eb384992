"""How the header of a tar archive is told: by its checksum, since the oldest form has no signature."""

from typing import Final

from ci_toolkit.images.data import Data

BLOCK: Final = 512


def recognise(data: Data) -> bool:
    head = data.read_at(0, BLOCK)
    if len(head) < BLOCK or not any(head):
        return False
    try:
        stored = int(head[148:156].strip(b" \0") or b"-", 8)
    except ValueError:
        return False
    return stored == sum(head) - sum(head[148:156]) + 8 * 0x20
