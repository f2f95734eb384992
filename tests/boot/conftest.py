"""One small disk for all tests of this room, and what it becomes for those who download it."""

from pathlib import Path

import bootable
import pytest
from bootable import Converted, to


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw disk, as mkosi builds it."""
    return bootable.disk(tmp_path_factory.mktemp("disk"))


@pytest.fixture(scope="session")
def converted(disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """Gives the disk in a format, by its name."""
    formats = "vagrant-libvirt,vagrant-virtualbox,gce,oci,docker-archive"
    made = to(disk, formats, tmp_path_factory.mktemp("converted"))
    places = {result.format.name: result.path for result in made.results}
    return lambda name: places[name]
