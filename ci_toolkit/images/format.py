"""One kind of container: how it is told, and what opens it."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container
from ci_toolkit.images.limits import Budget

Test = Callable[[Data], bool]
# Tells for certain whether two data have the same bytes in a span (offset, length); False where it is not known.
Same = Callable[[int, int], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One kind of container.

    `sign` looks at a few bytes; each content of this kind passes, and few others. For these alone `module` is loaded,
    below `ci_toolkit.images`: most comparisons need few of the readers. Two functions of it, whose names are
    `recogniser` and `reader`, tell for certain and open it.
    """

    name: str
    sign: Test
    module: str
    recogniser: str = "recognise"
    reader: str = "read"
    pair: str = ""

    def recognise(self, data: Data) -> bool:
        """Tell whether DATA is of this kind. Raises UnreadableError where it cannot be read."""
        return self.sign(data) and bool(self._function(self.recogniser)(data))

    def read(self, data: Data, budget: Budget) -> Container:
        """Open DATA. Raises UnreadableError where it is damaged or cut, BeyondLimitError where it is too much."""
        container = self._function(self.reader)(data, budget)
        assert isinstance(container, Container)
        return container

    def read_both(self, a: Data, b: Data, same: Same | None, budget: Budget) -> tuple[Container, Container]:
        """Open A and B; entries that both share are equal, and need not be complete. Raises as `read` does."""
        if not self.pair:
            return self.read(a, budget), self.read(b, budget)
        one, other = _loaded(self.pair).read(a, b, same, budget)
        assert isinstance(one, Container) and isinstance(other, Container)
        return one, other

    def load(self) -> ModuleType:
        """Load the module, or return it where it is loaded."""
        return _loaded(self.module)

    def _function(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(self.load(), name)
        return function


def _loaded(module: str) -> ModuleType:
    return import_module(f"ci_toolkit.images.{module}")


def has(*signs: bytes, at: int = 0) -> Test:
    """Return what tells whether one of SIGNS stands at byte AT, counted from the end where that is negative."""
    longest = max(map(len, signs))

    def test(data: Data) -> bool:
        offset = at if at >= 0 else data.size + at
        return offset >= 0 and data.read_at(offset, longest).startswith(signs)

    return test


def has_any(*tests: Test) -> Test:
    """Return what tells whether one of TESTS is passed."""
    return lambda data: any(test(data) for test in tests)
