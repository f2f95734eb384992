import errno
import fcntl
import io
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_toolkit.console import Console
from ci_toolkit.errors import BuildError, HostError, UsageError
from ci_toolkit.mkosi import source
from ci_toolkit.mkosi.source import MARK
from ci_toolkit.workshop import Workshop, open_workshop

QUIET = Console(narration=io.StringIO())

# A default ACL (acl(5)) as the kernel takes it: version 2, then tag, permissions and id of each entry. User 7 may do
# anything with whatever is made below.
ANY = 0xFFFF_FFFF
DEFAULT_ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", *entry)
    for entry in ((0x01, 7, ANY), (0x02, 7, 7), (0x04, 5, ANY), (0x10, 7, ANY), (0x20, 5, ANY))
)


def below(path: Path) -> dict[str, str | None]:
    """What is below PATH: the text of files, None for directories."""
    return {
        found.relative_to(path).as_posix(): None if found.is_dir() else found.read_text()
        for found in sorted(path.rglob("*"))
    }


def produce(output: Path, text: str) -> Workshop:
    with open_workshop(output, {}, QUIET) as workshop:
        (workshop.scratch / "rubbish").write_text("rubbish")
        (workshop.staged / "image.raw").write_text(text)
        workshop.publish()
    return workshop


def mounted(target: Path, *arguments: str) -> Iterator[Path]:
    target.mkdir(exist_ok=True)
    done = subprocess.run(("mount", *arguments, str(target)), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"mount: {done.stderr.strip()}")
    try:
        yield target
    finally:
        subprocess.run(("umount", "--recursive", str(target)), check=True)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    yield from mounted(tmp_path / "tiny", "-t", "tmpfs", "-o", "size=64k", "tmpfs")


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """A mount point of another file system, as `docker run --volume` makes one."""
    yield from mounted(tmp_path / "volume", "-t", "tmpfs", "-o", "size=1m", "tmpfs")


@pytest.fixture
def bound(tmp_path: Path) -> Iterator[Path]:
    """A mount point that is on the same file system as what is around it."""
    (tmp_path / "elsewhere").mkdir()
    yield from mounted(tmp_path / "bound", "--bind", str(tmp_path / "elsewhere"))


def test_the_output_holds_what_was_staged_and_nothing_else_is_left(tmp_path: Path) -> None:
    produce(tmp_path / "deep/output", "image")
    assert below(tmp_path) == {
        "deep": None,
        "deep/output": None,
        f"deep/output/{MARK}": "",
        "deep/output/image.raw": "image",
    }


def test_scratch_and_staging_lie_on_the_file_system_of_the_output(volume: Path) -> None:
    with open_workshop(volume / "output", {}, QUIET) as workshop:
        devices = {path.stat().st_dev for path in (workshop.scratch, workshop.staged, volume)}
    assert devices == {volume.stat().st_dev} != {volume.parent.stat().st_dev}


def test_an_output_of_ours_is_replaced_whole(tmp_path: Path) -> None:
    produce(tmp_path / "output", "old")
    (tmp_path / "output/old-name.raw").write_text("old")
    produce(tmp_path / "output", "new")
    assert below(tmp_path / "output") == {MARK: "", "image.raw": "new"}


def test_an_empty_directory_may_be_the_output(tmp_path: Path) -> None:
    (tmp_path / "output").mkdir()
    produce(tmp_path / "output", "image")
    assert (tmp_path / "output/image.raw").read_text() == "image"


def test_a_directory_that_holds_foreign_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "output").mkdir()
    (tmp_path / "output/thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="not ours"), open_workshop(tmp_path / "output", {}, QUIET):
        pass
    assert below(tmp_path) == {"output": None, "output/thesis.txt": "years of work"}


def test_what_a_killed_run_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    """Killed as by the kernel: nothing of it can tidy up."""
    program = """
import io, os, signal, sys, pathlib
from ci_toolkit.console import Console
from ci_toolkit.workshop import open_workshop
with open_workshop(pathlib.Path(sys.argv[1]), {}, Console(narration=io.StringIO())) as workshop:
    (workshop.staged / "image.raw").write_text("half")
    print(workshop.staged.parent, flush=True)
    sys.stdin.read()
"""
    argv = (sys.executable, "-c", program, str(tmp_path / "output"))
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        left = Path(run.stdout.readline().strip())
        os.utime(left, (0, 0))
        produce(tmp_path / "other", "beside it")
        assert (left / "staged/image.raw").exists(), "a living run keeps its files"
        run.kill()
    assert left.exists()
    os.utime(left, (0, 0))
    produce(tmp_path / "output", "image")
    assert not left.exists()


def test_a_directory_that_is_new_or_not_one_is_not_swept(tmp_path: Path) -> None:
    (tmp_path / ".ci-toolkit-new").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").touch()
    (tmp_path / ".ci-toolkit-link").symlink_to("elsewhere")
    os.utime(tmp_path / ".ci-toolkit-link", (0, 0), follow_symlinks=False)
    os.utime(tmp_path / "elsewhere", (0, 0))
    produce(tmp_path / "output", "image")
    assert (tmp_path / ".ci-toolkit-new").exists()
    assert (tmp_path / "elsewhere/file").exists()


def test_what_an_ended_run_left_behind_is_not_taken_for_a_foreign_file(tmp_path: Path) -> None:
    (tmp_path / "output/.ci-toolkit-abcdefgh").mkdir(parents=True)
    produce(tmp_path / "output", "image")
    assert below(tmp_path / "output") == {MARK: "", "image.raw": "image"}


def test_a_file_in_the_place_of_the_output_is_refused(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("a file")
    with pytest.raises(UsageError, match="not a directory"), open_workshop(tmp_path / "output", {}, QUIET):
        pass


def test_an_output_below_a_file_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(HostError, match="/file: File exists"), open_workshop(tmp_path / "file/output", {}, QUIET):
        pass


def test_a_link_to_a_directory_stays_and_its_target_gets_the_files(tmp_path: Path) -> None:
    (tmp_path / "large").mkdir()
    (tmp_path / "output").symlink_to("large/images")
    produce(tmp_path / "output", "image")
    assert (tmp_path / "output").is_symlink()
    assert (tmp_path / "large/images/image.raw").read_text() == "image"


@pytest.mark.parametrize("end", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_after_an_exception_and_the_old_output_stays(tmp_path: Path, end: type[BaseException]) -> None:
    produce(tmp_path / "output", "old")
    before = below(tmp_path)
    with pytest.raises(end), open_workshop(tmp_path / "output", {}, QUIET) as workshop:
        (workshop.staged / "image.raw").write_text("half")
        raise end
    assert below(tmp_path) == before


def test_an_interrupt_between_the_two_steps_of_publishing_keeps_the_old_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    produce(tmp_path / "output", "old")
    before = below(tmp_path)
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if self.name == "staged":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        produce(tmp_path / "output", "new")
    assert below(tmp_path) == before


def test_a_full_disk_is_told_and_leaves_nothing(tiny_disk: Path) -> None:
    with (
        pytest.raises(BuildError, match="disk is full") as full,
        open_workshop(tiny_disk / "output", {}, QUIET) as shop,
    ):
        (shop.staged / "image.raw").write_bytes(bytes(100_000))
    assert full.value.hint is not None and str(tiny_disk) in full.value.hint
    assert below(tiny_disk) == {}


def test_a_disk_that_fills_up_while_a_tree_is_copied_is_told_too(tiny_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/large").write_bytes(bytes(100_000))
    with pytest.raises(BuildError, match="disk is full"), open_workshop(tiny_disk / "output", {}, QUIET) as workshop:
        shutil.copytree(tmp_path / "tree", workshop.scratch / "tree")


def test_another_error_than_a_full_disk_is_handed_on(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), open_workshop(tmp_path / "output", {}, QUIET):
        raise PermissionError(errno.EACCES, "no")


def test_a_volume_is_filled_though_it_cannot_be_moved(volume: Path) -> None:
    produce(volume, "old")
    (volume / "directory").mkdir()
    produce(volume, "new")
    assert below(volume) == {MARK: "", "image.raw": "new"}


def test_a_bind_mount_from_the_same_file_system_is_filled_too(bound: Path, tmp_path: Path) -> None:
    produce(bound, "old")
    (bound / "directory").mkdir()
    produce(bound, "new")
    assert below(tmp_path / "elsewhere") == {MARK: "", "image.raw": "new"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bound", "elsewhere"]


def test_the_log_of_a_failed_build_is_kept_beside_the_output(tmp_path: Path) -> None:
    with open_workshop(tmp_path / "output", {}, QUIET) as workshop:
        (workshop.staged / "first.log").write_text("why")
        kept = workshop.rescue(workshop.staged / "first.log")
    assert kept == tmp_path / "output.first.log"
    assert below(tmp_path) == {"output.first.log": "why"}


def test_the_log_of_a_failed_build_is_kept_in_a_volume(volume: Path) -> None:
    with open_workshop(volume, {}, QUIET) as workshop:
        (workshop.staged / "first.log").write_text("why")
        workshop.rescue(workshop.staged / "first.log")
    assert below(volume) == {MARK: "", "failed.first.log": "why"}
    produce(volume, "mended")
    assert below(volume) == {MARK: "", "image.raw": "mended"}


def test_setgid_and_default_acl_of_the_directory_above_are_not_handed_on(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    try:
        os.setxattr(shared, "system.posix_acl_default", DEFAULT_ACL)
    except OSError as error:
        pytest.skip(f"no ACLs on this file system: {error}")
    shared.chmod(0o2775)
    with open_workshop(shared / "output", {}, QUIET) as workshop:
        for path in (workshop.scratch, workshop.staged, workshop.packages):
            (path / "file").touch(mode=0o644)
            (path / "directory").mkdir(mode=0o755)
            found = [path, path / "file", path / "directory"]
            acls = {name for one in found for name in os.listxattr(one) if "acl" in name}
            assert (acls, [oct(one.stat().st_mode & 0o7777) for one in found]) == (set(), ["0o755", "0o644", "0o755"])


@pytest.mark.parametrize(
    ("environ", "where"),
    [
        ({"XDG_CACHE_HOME": "{}/xdg", "HOME": "{}/home"}, "xdg"),
        ({"HOME": "{}/home"}, "home/.cache"),
        ({"HOME": "{}/home", "XDG_CACHE_HOME": "relative/is/invalid"}, "home/.cache"),
    ],
)
def test_packages_are_kept_in_the_cache_of_the_user(tmp_path: Path, environ: dict[str, str], where: str) -> None:
    variables = {name: value.format(tmp_path) for name, value in environ.items()}
    for present in (set[str](), {"package.deb"}):
        with open_workshop(tmp_path / "output", variables, QUIET) as workshop:
            assert workshop.packages == tmp_path / where / "ci-toolkit/packages"
            assert {path.name for path in workshop.packages.iterdir()} == present
            (workshop.packages / "package.deb").touch()


def test_packages_are_kept_where_it_was_asked_for_and_are_no_part_of_a_definition(tmp_path: Path) -> None:
    (tmp_path / "mkosi.conf").touch()
    with open_workshop(tmp_path / "output", {}, QUIET, cache=tmp_path / "kept") as workshop:
        assert workshop.packages == tmp_path / "kept/packages"
        assert workshop.tidies
        (workshop.packages / "package.deb").touch()
    assert below(tmp_path / "kept") == {
        MARK: "",
        "packages": None,
        "packages.lock": "",
        "packages/package.deb": "",
    }
    assert [path for path, _ in source.files(source.find(tmp_path))] == [Path("mkosi.conf")]


def test_a_cache_that_cannot_be_written_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(HostError, match="file") as raised,
        open_workshop(tmp_path / "output", {}, QUIET, cache=tmp_path / "file"),
    ):
        pass
    assert "--cache" in (raised.value.hint or "")


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "/dev/null"}, {"HOME": "relative"}])
def test_without_a_home_the_package_cache_lasts_for_the_run(tmp_path: Path, environ: dict[str, str]) -> None:
    with open_workshop(tmp_path / "output", environ, QUIET) as workshop:
        assert workshop.packages.is_relative_to(tmp_path)
        assert list(workshop.packages.iterdir()) == []
    assert below(tmp_path) == {}
    assert not Path("/nonexistent").exists()


def test_a_second_run_at_the_same_time_gets_a_fresh_package_cache(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    with open_workshop(tmp_path / "one", environ, QUIET) as first:
        (first.packages / "half-written.deb").touch()
        with open_workshop(tmp_path / "two", environ, QUIET) as second:
            assert second.packages != first.packages
            assert list(second.packages.iterdir()) == []
    with open_workshop(tmp_path / "three", environ, QUIET) as third:
        assert third.packages == first.packages


def test_the_lock_of_the_package_cache_is_not_inherited_by_programs(tmp_path: Path) -> None:
    with open_workshop(tmp_path / "output", {"HOME": str(tmp_path)}, QUIET):
        sleeper = subprocess.Popen(("sleep", "60"), close_fds=False)
    try:
        with (tmp_path / ".cache/ci-toolkit/packages.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        sleeper.kill()
        sleeper.wait()
