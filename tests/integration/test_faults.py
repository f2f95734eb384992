"""Builds that run out of something: each ends with exit code 4 and one sentence that names it.

docs/reliability.md is the table of what is done here and what was seen.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration import mirrors, places, small
from tests.integration.places import Place

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("runner")]

DEBIAN = """\
[Distribution]
Distribution=debian
Release=trixie

[Output]
Format=tar
ImageId=small

[Content]
Packages=nosuch
"""
SOURCES = "mkosi.sandbox/etc/apt/sources.list.d/mkosi.sources"
# As patient as apt is by itself, a test would take minutes.
IMPATIENT = 'Acquire::Retries "0";\n'

FULL = "a file system is full"
KILLED = "a program was killed, as the kernel does where memory runs out"
FILL = 'head -c 200M /dev/zero > "$BUILDROOT/large"'
# Block after block, without end: at once the kernel would refuse it.
ALLOCATE = """python3 -c 'blocks = [b"x" * (1 << 24) for _ in iter(int, 1)]'"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    place = tmp_path / "base"
    place.mkdir()
    return place


@pytest.fixture
def small_disk(base: Path) -> Iterator[Path]:
    """A disk of 50 MB where the output goes."""
    mounted = subprocess.run(
        ("mount", "-t", "tmpfs", "-o", "size=50m", "tmpfs", base), capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"mount: {mounted.stderr.strip()}")
    try:
        yield base
    finally:
        subprocess.run(("umount", "--lazy", base), check=True)


@pytest.fixture(scope="module")
def mirror() -> Iterator[str]:
    with mirrors.mirror() as address:
        yield address


def fails(place: Place, *arguments: str, exit_code: int = 4) -> list[str]:
    """The error of a build: its sentence, the last lines of its log, the next step. The output before it is whole."""
    places.with_an_output(place.base)
    completed = place.build(place.base / "repository/images", *arguments)
    assert completed.returncode == exit_code, completed.stderr
    assert places.is_whole(place.base)
    error = completed.stderr.partition("error: ")[2].splitlines()
    assert not any("Traceback" in line for line in error)
    assert error[-1].endswith(f"The whole log: {place.base / 'output.first.log'}")
    assert len(error) > 3, "no line of the log"
    left = {path.name for path in place.base.iterdir()}
    assert left <= {"output", "output.first.log", "output.console.log", "repository", "pid"}
    print(f"{place.runner}: {error[0]}")
    return error


@pytest.mark.parametrize("runner", ["container", "unprivileged"])
def test_a_disk_of_the_output_that_fills_up(small_disk: Path, runner: str) -> None:
    small.custom(small_disk / "repository", FILL)
    with places.opened(runner, small_disk) as place:
        assert fails(place)[0] == f"mkosi failed with exit code 1: {FULL}"


def test_a_disk_that_fills_up_when_mkosi_packs(small_disk: Path) -> None:
    """GNU tar does not say why it could not write."""
    small.custom(small_disk / "repository", 'head -c 30M /dev/zero > "$BUILDROOT/large"')
    with places.opened("container", small_disk) as place:
        assert FULL in fails(place)[0]


def test_a_tmpfs_inside_the_build_that_fills_up(base: Path) -> None:
    small.custom(base / "repository", "mount -t tmpfs -o size=1m tmpfs /mnt; head -c 2M /dev/zero > /mnt/large")
    with places.opened("container", base) as place:
        assert fails(place)[0] == f"mkosi failed with exit code 1: {FULL}"


def test_a_build_that_the_kernel_kills_for_its_memory(base: Path) -> None:
    small.custom(base / "repository", ALLOCATE)
    with places.opened("unprivileged", base, "--memory=300m", "--memory-swap=300m") as place:
        assert fails(place)[0] == f"mkosi failed with exit code 137: {KILLED}"


def test_a_virtual_machine_that_runs_out_of_memory(base: Path) -> None:
    """The guest's kernel kills, not that of the machine; it has one gigabyte."""
    small.custom(base / "repository", ALLOCATE)
    with places.opened("vm", base, "--memory=2g", "--memory-swap=2g") as place:
        assert KILLED in fails(place)[0]


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("404", "the mirror {mirror} does not have what is asked for"),
        ("503", "the mirror {mirror} answers 503"),
        ("empty", "the package base-files is not there"),
    ],
)
def test_a_mirror_that_does_not_do_what_it_should(base: Path, mirror: str, kind: str, sentence: str) -> None:
    debian(base, f"{mirror}/{kind}")
    with places.opened("unprivileged", base, "--network=host") as place:
        error = fails(place, "--", "--repository-key-check=no")
    assert error[0] == f"mkosi failed with exit code 100: {sentence.format(mirror=mirror.removeprefix('http://'))}"


def test_a_mirror_that_is_slow_beyond_what_apt_minds(base: Path, mirror: str) -> None:
    debian(base, f"{mirror}/slow")
    with places.opened("unprivileged", base, "--network=host") as place:
        error = fails(place, "--time-limit=0.3")
    assert error[0] == "mkosi was still running after 0.3 minutes (time-limit)"


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("http://mirror.invalid/debian", "the name of the mirror mirror.invalid cannot be resolved"),
        ("http://192.0.2.1/debian", "nobody answers at the mirror 192.0.2.1"),
    ],
)
def test_no_network_at_all(base: Path, address: str, sentence: str) -> None:
    debian(base, address)
    with places.opened("unprivileged", base, "--network=none") as place:
        assert fails(place)[0] == f"mkosi failed with exit code 100: {sentence}"


def debian(base: Path, address: str) -> None:
    """Commit a definition whose only mirror is ADDRESS."""
    sources = f"Types: deb\nURIs: {address}\nSuites: trixie\nComponents: main\n"
    repository = base / "repository"
    small.write(
        repository,
        {
            "images/mkosi.conf": DEBIAN,
            f"images/{SOURCES}": f"{sources}Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n",
            "images/mkosi.sandbox/etc/apt/apt.conf.d/impatient": IMPATIENT,
        },
    )
    small.commit(repository)
