"""The programs that make a build the same on every file system, run on real trees."""

import os
import stat
import subprocess
from pathlib import Path

import pytest
from bench import run

from ci_toolkit.mkosi import normal

NAMES = ["z", "a", "m/2", "m/1", "k"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    made = tmp_path / "tree"
    for name in NAMES:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(name)
    (made / "link").symlink_to("a")
    normal.write(tmp_path)
    return made


def test_members_are_sorted_whatever_the_file_system_says(tree: Path, tmp_path: Path) -> None:
    program = tmp_path / normal.PROGRAMS / "tar"
    run(program, "--create", "--file", tmp_path / "sorted.tar", "--directory", tree, ".")
    run(program, "cf", tmp_path / "old-style.tar", "-C", tree, ".")
    listed = run("tar", "--list", "--file", tmp_path / "sorted.tar").decode().splitlines()
    assert listed == ["./", "./a", "./k", "./link", "./m/", "./m/1", "./m/2", "./z"]
    assert run("tar", "--list", "--file", tmp_path / "old-style.tar").decode().splitlines() == listed
    (tmp_path / "out").mkdir()
    run(program, "--extract", "--file", tmp_path / "sorted.tar", "--directory", tmp_path / "out")
    assert (tmp_path / "out/m/2").read_text() == "m/2"


def test_options_of_the_caller_stay(tree: Path, tmp_path: Path) -> None:
    argv = (tmp_path / normal.PROGRAMS / "tar", "--create", "--file", tmp_path / "x.tar", "--directory", tree, ".")
    run(*argv, environment={"TAR_OPTIONS": "--exclude=m"})
    assert run("tar", "--list", "--file", tmp_path / "x.tar").decode().splitlines() == [
        "./",
        "./a",
        "./k",
        "./link",
        "./z",
    ]


def test_access_times_become_the_epoch_and_the_others_stay(tree: Path, tmp_path: Path) -> None:
    before = {path: path.lstat() for path in (tree, *tree.rglob("*"))}
    run(tmp_path / normal.FINALIZE, environment={"BUILDROOT": str(tree), "SOURCE_DATE_EPOCH": "1700000000"})
    for path, old in before.items():
        found = path.lstat()
        assert found.st_mtime_ns == old.st_mtime_ns
        if not stat.S_ISDIR(old.st_mode):  # to list a directory is to read it
            assert found.st_atime_ns == 1_700_000_000 * 10**9


def test_without_an_epoch_nothing_is_touched(tree: Path, tmp_path: Path) -> None:
    os.utime(tree / "a", (1, 1))
    run(tmp_path / normal.FINALIZE, environment={"BUILDROOT": str(tree)})
    assert (tree / "a").lstat().st_atime == 1


def test_any_user_may_run_them_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        normal.write(tmp_path)
    finally:
        os.umask(old)
    for name in (normal.DIRECTORY, normal.PROGRAMS, f"{normal.PROGRAMS}/tar", normal.FINALIZE):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o755
    assert subprocess.run(("sh", "-n", tmp_path / normal.FINALIZE), check=False).returncode == 0
