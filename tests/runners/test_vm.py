"""What a place in a virtual machine does with files, in front of a machine that is this one."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from ci_toolkit import process
from ci_toolkit.console import Console
from ci_toolkit.errors import HostError
from ci_toolkit.host.environment import NORMAL
from ci_toolkit.process import Command, Completed
from ci_toolkit.runners import vm
from ci_toolkit.runners.machine import Hardware, Machine
from ci_toolkit.runners.runner import Request
from ci_toolkit.runners.vm import VirtualPlace


class Here:
    """A machine that runs everything here, and remembers it."""

    def __init__(self) -> None:
        self.done: list[tuple[str, ...]] = []

    def execute(
        self, command: Command, on_line: Callable[[str], None] | None, timeout_seconds: float | None = None
    ) -> Completed:
        self.done.append(command.argv)
        return process.run(command, on_line=on_line, timeout_seconds=timeout_seconds)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VirtualPlace:
    inside = tmp_path / "inside"
    monkeypatch.setattr(vm, "INSIDE", inside)
    monkeypatch.setattr(vm, "_PACKAGES", inside / "packages")
    for name in ("inside", "run/scratch", "cache"):
        (tmp_path / name).mkdir(parents=True)
    request = Request(
        scratch=tmp_path / "run/scratch",
        packages=tmp_path / "cache",
        console=Console(narration=io.StringIO()),
        environ={},
        rescue=lambda log: log,
    )
    hardware = Hardware(
        accelerator="tcg",
        processor="max",
        cpus=2,
        memory=2 << 30,
        disk=1 << 30,
        kernel=Path("/k"),
        modules=(),
        virtiofsd="v",
    )
    return VirtualPlace(machine=cast("Machine", Here()), request=request, hardware=hardware)


def test_what_the_caller_puts_into_the_scratch_directory_is_in_the_build(place: VirtualPlace, tmp_path: Path) -> None:
    (place.request.scratch / "definition").mkdir()
    (place.request.scratch / "definition/mkosi.conf").write_text("one")
    place.execute(Command(argv=("true",)), None, None)
    assert (tmp_path / "inside/definition/mkosi.conf").read_text() == "one"
    (place.request.scratch / "machine").write_text("later")
    place.execute(Command(argv=("true",)), None, None)
    place.execute(Command(argv=("true",)), None, None)
    assert (tmp_path / "inside/machine").read_text() == "later"
    copies = [argv for argv in cast("Here", place.machine).done if argv[0] == "cp"]
    assert len(copies) == 2, "each is copied once"


def test_a_copy_keeps_links_holes_modes_and_times(place: VirtualPlace, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with (source / "sparse").open("wb") as file:
        file.truncate(64 << 20)
    (source / "link").symlink_to("sparse")
    (source / "one").write_text("x")
    (source / "one").chmod(0o640)
    os.link(source / "one", source / "two")
    os.utime(source / "one", (1, 1_000_000_000))
    place.copy(source, tmp_path / "inside/deep/er/target")
    target = tmp_path / "inside/deep/er/target"
    assert (target / "sparse").stat().st_blocks * 512 < 1 << 20
    assert (target / "link").readlink() == Path("sparse")
    found = (target / "one").stat()
    assert (found.st_mode & 0o777, found.st_mtime, found.st_nlink) == (0o640, 1_000_000_000, 2)


def test_new_packages_get_into_the_cache_and_nothing_else_is_copied(place: VirtualPlace, tmp_path: Path) -> None:
    (place.request.packages / "apt").mkdir()
    (place.request.packages / "apt/old.deb").write_text("old")
    place.fetch_packages()
    packages = tmp_path / "inside/packages"
    assert (packages / "apt/old.deb").read_text() == "old"
    assert not (place.request.scratch.parent / "cached").exists()
    place.keep_packages()
    assert not any(argv[0] == "tar" for argv in cast("Here", place.machine).done)
    (packages / "apt/new one é.deb").write_text("new")
    place.keep_packages()
    assert {path.name: path.read_text() for path in (place.request.packages / "apt").iterdir()} == {
        "old.deb": "old",
        "new one é.deb": "new",
    }


def test_they_are_there_as_soon_as_a_build_gives_them_back(place: VirtualPlace, tmp_path: Path) -> None:
    place.fetch_packages()
    packages = tmp_path / "inside/packages"
    (packages / "new.deb").write_text("new")
    place.sandbox(NORMAL).give_back(tmp_path / "inside/home")
    assert not (place.request.packages / "new.deb").exists()
    place.sandbox(NORMAL).give_back(packages)
    assert (place.request.packages / "new.deb").read_text() == "new"


def test_that_the_cache_gets_no_package_fails_no_build(place: VirtualPlace, tmp_path: Path) -> None:
    (tmp_path / "inside/packages").mkdir()
    (tmp_path / "inside/packages/new.deb").write_text("new")
    place.request.packages.rmdir()
    place.sandbox(NORMAL).give_back(tmp_path / "inside/packages")


def test_a_copy_that_fails_says_what_failed(place: VirtualPlace, tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"failed in the virtual machine: .*No such file"):
        place.copy(tmp_path / "nothing", tmp_path / "inside/x")


def test_what_the_build_made_is_moved_out(place: VirtualPlace, tmp_path: Path) -> None:
    output = tmp_path / "inside/output"
    output.mkdir()
    (output / "image.raw").write_text("image")
    place.sandbox(NORMAL).copy_out(output, tmp_path / "run/staged")
    assert (tmp_path / "run/staged/image.raw").read_text() == "image"
    assert not output.exists()


def test_the_report_says_what_it_ran_on(place: VirtualPlace) -> None:
    assert place.description == "vm: QEMU, emulated, 2 processors, 2048 MiB"
