"""The programs that make a build the same on every file system, run on real trees."""

import os
import shutil
import stat
import subprocess
import tempfile
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


def test_in_a_namespace_with_one_id_owners_are_left_out_and_elsewhere_kept(tree: Path, tmp_path: Path) -> None:
    program = tmp_path / normal.PROGRAMS / "tar"
    run("tar", "--create", "--owner=33", "--group=42", "--file", tmp_path / "x.tar", "--directory", tree, "a")
    extract = (str(program), "--extract", "--file", str(tmp_path / "x.tar"), "--directory", str(tmp_path))
    environment = {"PATH": "/usr/bin:/bin"}
    inside = ("unshare", "--user", "--map-root-user", *extract)
    completed = subprocess.run(inside, capture_output=True, text=True, check=False, env=environment)
    if completed.stderr.startswith("unshare"):
        pytest.skip(f"no user namespace here: {completed.stderr}")
    assert completed.returncode == 0, completed.stderr
    assert (tmp_path / "a").stat().st_gid == os.getgid()
    if os.geteuid() == 0:
        run(*extract)
        assert (tmp_path / "a").stat().st_gid == 42


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


DESC = "var/lib/pacman/local/thing-1.2-3/desc"
LOG = (
    "[2026-11-28 08:21] [PACMAN] Running 'pacman --remove tree'\n"
    "[2026-11-28T21:06:01+1345] [ALPM] removed tree (2.3.2-1) [sic]\n"
    "[ALPM-SCRIPTLET] what a scriptlet said\n"
)


@pytest.fixture
def arch(tmp_path: Path) -> Path:
    """A tree with pacman's records, its log and a cache of ldconfig."""
    made = tmp_path / "arch"
    local = made / "var/lib/pacman/local"
    (local / "thing-1.2-3").mkdir(parents=True)
    (local / "ALPM_DB_VERSION").write_text("9\n")
    (local / "thing-1.2-3/files").write_text("%FILES%\n")
    (made / DESC).write_text(
        "%NAME%\nthing\n\n%VERSION%\n1.2-3\n\n%DESC%\n%INSTALLDATE%\n\n%BUILDDATE%\n1600000000\n\n"
        "%INSTALLDATE%\n1795854853\n\n%SIZE%\n1795854853\n\n"
    )
    for name, content in (("var/log/pacman.log", LOG), ("var/cache/ldconfig/aux-cache", "glibc-ld.so.auxcache-1.0")):
        (made / name).parent.mkdir(parents=True)
        (made / name).write_text(content)
    normal.write(tmp_path)
    return made


def finalize(tree: Path, distribution: str = "arch") -> str:
    """Run the script as mkosi does, and return what it says."""
    variables = {"BUILDROOT": str(tree), "SOURCE_DATE_EPOCH": "1700000000", "DISTRIBUTION": distribution}
    return run(tree.parent / normal.FINALIZE, environment=variables).decode()


def contents(tree: Path) -> dict[str, bytes]:
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def test_pacman_reads_the_epoch_as_the_date_of_the_installation_and_nothing_else_changes(arch: Path) -> None:
    asked = ("pacman", "--root", arch, "--dbpath", arch / "var/lib/pacman", "--query", "--info")
    before = run(*asked, environment={"TZ": "UTC"}).decode().splitlines()
    written = (arch / DESC).read_text()
    assert finalize(arch) == ""
    assert (arch / DESC).read_text() == written.replace("%INSTALLDATE%\n1795854853", "%INSTALLDATE%\n1700000000")
    after = run(*asked, environment={"TZ": "UTC"}).decode().splitlines()
    changed = [line for old, line in zip(before, after, strict=True) if old != line]
    assert [line.split(":", 1)[0].strip() for line in changed] == ["Install Date"]
    assert "22:13:20" in changed[0]
    assert "2023" in changed[0]


def test_the_log_of_pacman_keeps_its_words(arch: Path) -> None:
    finalize(arch)
    assert (arch / "var/log/pacman.log").read_text() == (
        "[2023-11-14T22:13:20+0000] [PACMAN] Running 'pacman --remove tree'\n"
        "[2023-11-14T22:13:20+0000] [ALPM] removed tree (2.3.2-1) [sic]\n"
        "[ALPM-SCRIPTLET] what a scriptlet said\n"
    )


def test_the_cache_of_ldconfig_goes_and_its_directory_stays(arch: Path) -> None:
    finalize(arch)
    assert list((arch / "var/cache/ldconfig").iterdir()) == []


def test_a_keyring_is_emptied_where_it_has_a_secret_key(arch: Path) -> None:
    keyring = arch / "etc/pacman.d/gnupg"
    with tempfile.TemporaryDirectory(prefix="gpg") as home:  # of a short name, for gpg-agent's socket
        options = ("--batch", "--quiet", "--homedir", home, "--passphrase", "", "--quick-generate-key")
        run("gpg", *options, "Master <pacman@localhost>", "ed25519", "sign", "never")
        run("gpgconf", "--homedir", home, "--kill", "all")
        shutil.copytree(home, keyring, ignore=shutil.ignore_patterns("S.*"))
    secret = keyring / "private-keys-v1.d"
    kept = {path: path.read_bytes() for path in secret.iterdir()}
    for path in kept:
        path.unlink()
    assert finalize(arch) == ""
    assert b"Master" in run("gpg", "--batch", "--homedir", keyring, "--list-keys")
    for path, content in kept.items():
        path.write_bytes(content)
    assert "pacman-key --init" in finalize(arch)
    assert list(keyring.iterdir()) == []


def test_a_link_in_the_place_of_the_log_is_not_followed(arch: Path, tmp_path: Path) -> None:
    log = arch / "var/log/pacman.log"
    log.unlink()
    (tmp_path / "outside").write_text(LOG)
    log.symlink_to(tmp_path / "outside")
    finalize(arch)
    assert (tmp_path / "outside").read_text() == LOG
    assert log.is_symlink()


def test_images_of_other_distributions_keep_all_that(arch: Path) -> None:
    before = contents(arch)
    assert finalize(arch, "debian") == ""
    assert contents(arch) == before
