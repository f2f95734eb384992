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
def disc(disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw disk of the same name and partitions, which is a disc as well."""
    return bootable.disc(tmp_path_factory.mktemp("disc") / "made", disk)


@pytest.fixture(scope="session")
def converted(disk: Path, disc: Path, tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """Gives the disk in a format, by its name; a disc as an ISO image."""
    output = tmp_path_factory.mktemp("converted")
    made = to(disk, ",".join(one.name for one in FORMATS if one.name != "iso"), output).results
    made += to(disc, "iso", output).results
    places = {result.format.name: result.path for result in made}
    return lambda name: places[name]
