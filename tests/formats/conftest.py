"""One small disk for all tests of this room, and all that it becomes."""

from pathlib import Path

import bootable
import pytest
from bootable import Converted, to

from ci_toolkit.formats.table import FORMATS


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw disk; `tree`, `esp` and `root` beside it are what it was made of."""
    return bootable.disk(tmp_path_factory.mktemp("disk"))


@pytest.fixture(scope="session")
def converted(disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """Gives the disk in a format, by its name."""
    output = tmp_path_factory.mktemp("converted")
    made = to(disk, ",".join(one.name for one in FORMATS), output)
    places = {result.format.name: result.path for result in made.results}
    return lambda name: places[name]
