"""Every kind of target, each with a server of its own, and releases for them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import shelves
from shelves import SHELVES, Make, Shelf


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make the release of a version."""
    return lambda version=shelves.DAYS[-1], word="": shelves.release(tmp_path, version, word)


@pytest.fixture(params=SHELVES)
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    yield from SHELVES[request.param](tmp_path)


@pytest.fixture(params=[name for name in SHELVES if name != "directory"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    """A target behind a server that can fail."""
    yield from SHELVES[request.param](tmp_path)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Shelf]:
    yield from SHELVES["registry"](tmp_path)
