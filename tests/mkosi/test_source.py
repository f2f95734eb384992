import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ci_toolkit.errors import UsageError
from ci_toolkit.mkosi import source

EPOCH = 1_700_000_000


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A definition in a git repository, checked out as GitLab's Docker executor does: under umask 0."""
    root = tmp_path / "repository"
    images = root / "images"
    (images / "mkosi.extra/etc").mkdir(parents=True)
    (images / "mkosi.conf").write_text("[Output]\nFormat=directory\n")
    (images / "mkosi.extra/etc/motd").write_text("hello\n")
    (images / "mkosi.postinst").write_text("#!/bin/sh\n")
    (images / "mkosi.postinst").chmod(0o755)
    (images / "mkosi.extra/etc/link").symlink_to("motd")
    (root / ".gitignore").write_text("mkosi.rootpw\n*.log\n")
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "one", date=f"@{EPOCH} +0000")
    for path in images.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o2777 if path.is_dir() else 0o666)
    (images / "mkosi.postinst").chmod(0o777)
    return root


def git(root: Path, *arguments: str, date: str = "@1 +0000") -> None:
    subprocess.run(
        ("git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments),
        cwd=root,
        check=True,
        env={"PATH": os.environ["PATH"], "GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date, "HOME": "/nonexistent"},
    )


def modes(root: Path) -> dict[str, int]:
    return {
        path.relative_to(root).as_posix(): path.lstat().st_mode & 0o7777
        for path in sorted(root.rglob("*"))
        if not path.is_symlink()
    }


def test_the_epoch_is_the_time_of_the_last_commit(repository: Path) -> None:
    found = source.find(repository / "images")
    assert (found.epoch, found.directory, found.dirty) == (EPOCH, Path("images"), False)


def test_a_changed_file_makes_the_work_tree_dirty(repository: Path) -> None:
    (repository / "images/mkosi.conf").write_text("[Output]\nFormat=tar\n")
    assert source.find(repository / "images").dirty


def test_a_checkout_under_umask_0_is_copied_with_the_modes_of_git(repository: Path, tmp_path: Path) -> None:
    found = source.find(repository / "images")
    mended = source.copy(found, tmp_path / "copy", epoch=EPOCH, leave_out=())
    assert modes(tmp_path / "copy/images") == {
        "mkosi.conf": 0o644,
        "mkosi.extra": 0o755,
        "mkosi.extra/etc": 0o755,
        "mkosi.extra/etc/motd": 0o644,
        "mkosi.postinst": 0o755,
    }
    assert (tmp_path / "copy/images/mkosi.extra/etc/link").readlink() == Path("motd")
    assert mended == 3


def test_every_time_in_the_copy_is_the_epoch(repository: Path, tmp_path: Path) -> None:
    source.copy(source.find(repository / "images"), tmp_path / "copy", epoch=EPOCH, leave_out=())
    times = {path.lstat().st_mtime for path in (tmp_path / "copy").rglob("*")}
    assert times == {EPOCH}


def test_untracked_files_come_along_and_ignored_ones_stay(repository: Path, tmp_path: Path) -> None:
    (repository / "images/new.conf").touch()
    (repository / "images/build.log").touch()
    source.copy(source.find(repository / "images"), tmp_path / "copy", epoch=EPOCH, leave_out=())
    assert (tmp_path / "copy/images/new.conf").exists()
    assert not (tmp_path / "copy/images/build.log").exists()


def test_an_ignored_secret_comes_along_readable_by_its_owner_only(repository: Path, tmp_path: Path) -> None:
    (repository / "images/mkosi.rootpw").write_text("secret")
    source.copy(source.find(repository / "images"), tmp_path / "copy", epoch=EPOCH, leave_out=())
    assert modes(tmp_path / "copy/images")["mkosi.rootpw"] == 0o600


def test_the_output_is_no_part_of_the_definition(repository: Path, tmp_path: Path) -> None:
    output = repository / "images/output"
    output.mkdir()
    (output / "image.raw").touch()
    source.copy(source.find(repository / "images"), tmp_path / "copy", epoch=EPOCH, leave_out=(output,))
    assert not (tmp_path / "copy/images/output").exists()


@pytest.mark.parametrize("in_git", [True, False])
def test_what_earlier_runs_left_is_no_part_of_the_definition(repository: Path, tmp_path: Path, *, in_git: bool) -> None:
    earlier = repository / "images/deep/earlier-output"
    interrupted = repository / "images/.ci-toolkit-a1b2c3d4/scratch/machine/etc"
    for place in (earlier, interrupted):
        place.mkdir(parents=True)
        (place / "image.raw").touch()
    (earlier / source.MARK).touch()
    if not in_git:
        shutil.rmtree(repository / ".git")
    found = source.find(repository / "images")
    source.copy(found, tmp_path / "copy", epoch=EPOCH, leave_out=())
    assert not list((tmp_path / "copy").rglob("image.raw"))
    assert len(list((tmp_path / "copy").rglob("mkosi.conf"))) == 1


def test_the_index_of_the_repository_is_not_refreshed(repository: Path) -> None:
    index = repository / ".git/index"
    before = index.stat()
    git(repository, "--no-optional-locks", "status", "--short")
    assert not source.find(repository / "images").dirty
    assert (index.stat().st_ino, index.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    git(repository, "status", "--short")
    assert index.stat().st_ino != before.st_ino, "git found nothing to refresh: this test tells nothing"


def test_the_output_of_an_earlier_run_makes_no_work_tree_dirty(repository: Path) -> None:
    output = repository / "images/output"
    output.mkdir()
    (output / "image.raw").touch()
    assert source.find(repository / "images").dirty
    (output / source.MARK).touch()
    assert not source.find(repository / "images").dirty


def test_a_tree_outside_git_gets_a_fixed_epoch_and_its_own_executable_bits(tmp_path: Path) -> None:
    definition = tmp_path / "definition"
    definition.mkdir()
    (definition / "mkosi.conf").touch()
    (definition / "mkosi.conf").chmod(0o600)
    (definition / "mkosi.build").touch()
    (definition / "mkosi.build").chmod(0o700)
    (definition / "mkosi.output").mkdir()
    (definition / "mkosi.output/old.raw").touch()
    found = source.find(definition)
    source.copy(found, tmp_path / "copy", epoch=found.epoch, leave_out=())
    assert found.epoch == source.FALLBACK_EPOCH
    assert modes(tmp_path / "copy") == {"mkosi.build": 0o755, "mkosi.conf": 0o644}


def test_a_repository_of_another_user_is_read_all_the_same(repository: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give the repository to another user")
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 12345, 12345, follow_symlinks=False)
    assert source.find(repository / "images").epoch == EPOCH


def test_the_configuration_of_the_repository_runs_nothing(repository: Path, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    git(repository, "config", "core.fsmonitor", f"touch {witness}")
    source.copy(source.find(repository / "images"), tmp_path / "copy", epoch=EPOCH, leave_out=())
    assert not witness.exists()


@pytest.mark.parametrize("content", [None, "empty"])
def test_a_directory_without_a_definition_is_a_usage_error(tmp_path: Path, content: str | None) -> None:
    directory = tmp_path / "nothing"
    if content:
        directory.mkdir()
    with pytest.raises(UsageError):
        source.find(directory)


def test_a_fifo_in_the_definition_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    definition = tmp_path / "definition"
    definition.mkdir()
    (definition / "mkosi.conf").touch()
    os.mkfifo(definition / "pipe")
    with pytest.raises(UsageError, match="pipe"):
        source.copy(source.find(definition), tmp_path / "copy", epoch=EPOCH, leave_out=())
