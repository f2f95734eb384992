"""Places of a file system that belong together, put together."""

from ci_toolkit.images.data import Data

# Offset and length.
Span = tuple[int, int]


def gathered(data: Data, spans: list[Span]) -> Data:
    """Return the bytes at SPANS, which are in order of their offsets, one after the other; each byte once."""
    pieces = []
    position = end = 0
    for offset, length in spans:
        skipped = max(0, end - offset)
        if skipped < length:
            pieces.append((position, length - skipped, offset + skipped))
            position += length - skipped
            end = offset + length
    return data.scattered(pieces, position)
