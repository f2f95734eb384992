"""One kind of container: how it is told, and what opens it."""

from collections.abc import Callable
from dataclasses import dataclass

from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container
from ci_toolkit.images.limits import Budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One kind of container: `recognise` looks at a few bytes, `read` opens it or raises UnreadableError."""

    name: str
    recognise: Callable[[Data], bool]
    read: Callable[[Data, Budget], Container]
