"""Every format, made twice in surroundings that have nothing in common but the content of the disk."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import bootable
import pytest
from bench import run

from ci_toolkit.errors import UsageError
from ci_toolkit.formats.table import FORMATS, find

ROOT = Path(__file__).parents[2]
NAMES = [one.name for one in FORMATS]
# Of a disk that is no disc.
OF_DISKS = [name for name in NAMES if name != "iso"]


def digests(place: Path) -> dict[str, str]:
    """The SHA-256 of all files below PLACE."""
    return {
        str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


def convert(
    image: Path, disc: Path, output: Path, umask: int, environment: Mapping[str, str], *before: str
) -> dict[str, str]:
    for source, names in ((image, OF_DISKS), (disc, ["iso"])):
        program = (sys.executable, "-m", "ci_toolkit", "convert", str(source), "--to", ",".join(names))
        subprocess.run(
            [*before, *program, "--output", str(output)],
            cwd=ROOT, umask=umask, env={"PATH": os.environ["PATH"], **environment}, check=True, capture_output=True,
        )  # fmt: skip
    return digests(output)


@pytest.fixture(scope="module")
def twice(disk: Path, disc: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], dict[str, str]]:
    """The digests of both times. The second disks are copies without a hole, in memory where that is to be had."""
    started = time.time()
    memory = Path("/dev/shm")
    place = tmp_path_factory.mktemp("twice")
    other = memory / f"ci-toolkit-{os.getpid()}" if os.access(memory, os.W_OK) else place / "other"
    holes = place / "holes" / disk.name
    holes.parent.mkdir()
    run("cp", "--sparse=always", disk, holes)
    try:
        other.mkdir()
        run("cp", "--sparse=never", disk, other / disk.name)
        full = other / "disc" / disc.name
        full.parent.mkdir()
        run("cp", "--sparse=never", disc, full)
        assert (other / disk.name).stat().st_blocks > holes.stat().st_blocks
        one = convert(holes, disc, place / "one", 0o022, {"LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": "/"})
        bootable.later(started)
        varied = {"LC_ALL": "C", "TZ": "Asia/Kathmandu", "SOURCE_DATE_EPOCH": "1", "PYTHONHASHSEED": "7"}
        two = convert(other / disk.name, full, other / "two", 0o077, varied, "taskset", "--cpu-list", first_processor())
    finally:
        shutil.rmtree(other, ignore_errors=True)
    return one, two


def first_processor() -> str:
    return str(min(os.sched_getaffinity(0)))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_deterministic(name: str, twice: tuple[dict[str, str], dict[str, str]]) -> None:
    (wanted,) = find(name)
    one, two = (
        {path: digest for path, digest in found.items() if path.startswith(f"disk{wanted.suffix}")} for found in twice
    )
    assert len(one) >= 2  # with the checksums
    assert one == two


def test_no_format_has_the_suffix_of_another() -> None:
    suffixes = [one.suffix for one in FORMATS]
    assert len(set(suffixes)) == len(suffixes)


def test_a_name_that_there_is_not_is_answered_with_the_list() -> None:
    with pytest.raises(UsageError, match="no format 'ova'") as caught:
        find("qcow2,ova")
    assert all(name in str(caught.value.hint) for name in NAMES)


@pytest.mark.parametrize("names", ["", " , "])
def test_no_name_at_all_is_refused(names: str) -> None:
    with pytest.raises(UsageError, match="no format is named"):
        find(names)


def test_each_is_made_once_in_the_order_asked_for() -> None:
    assert [one.name for one in find("vdi, qcow2,vdi")] == ["vdi", "qcow2"]


def test_for_a_raw_disk_the_reason_is_told() -> None:
    with pytest.raises(UsageError, match="what all others are made of"):
        find("raw")


def test_the_table_stands_in_the_documentation() -> None:
    page = (ROOT / "docs/convert.md").read_text(encoding="utf-8")
    assert [one.name for one in FORMATS if f"| `{one.name}` " not in page or one.suffix not in page] == []
