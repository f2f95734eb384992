"""The zeros between the parts of an initrd, and after streams."""

from ci_toolkit.images.data import Data


def zeros(data: Data, position: int) -> int:
    """Return how many zeros there are at POSITION."""
    start = position
    while chunk := data.read_at(position, 1 << 16):
        rest = chunk.lstrip(b"\0")
        position += len(chunk) - len(rest)
        if rest:
            break
    return position - start
