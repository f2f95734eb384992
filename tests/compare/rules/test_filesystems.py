"""File systems, made twice by their own programs."""

import struct
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from bench import cause, changed, compared, differs, finding, run, shows

from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.facts import Facts

pytestmark = pytest.mark.slow

# What dumpe2fs calls the facts of a superblock that the reader names.
DUMPED = {
    "uuid": "Filesystem UUID",
    "hash_seed": "Directory Hash Seed",
    "mkfs_time": "Filesystem created",
    "write_time": "Last write time",
    "check_time": "Last checked",
    "inode_count": "Inode count",
}


def ext4(image: Path, *options: str, epoch: int) -> Mapping[str, str]:
    """Make an ext4 and return what dumpe2fs reads in it."""
    with image.open("wb") as file:
        file.truncate(8 << 20)
    # Releases before 1.47.1 know the first of these only.
    clock = {"E2FSPROGS_FAKE_TIME": str(epoch), "SOURCE_DATE_EPOCH": str(epoch)}
    run("mke2fs", "-q", "-F", "-t", "ext4", *options, image, environment=clock)
    lines = run("dumpe2fs", "-h", image).decode().splitlines()
    dumped = dict(line.split(":", 1) for line in lines if ":" in line)
    return {name: dumped[label].strip() for name, label in DUMPED.items()}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Mapping[str, str], Mapping[str, str]]:
    directory = tmp_path_factory.mktemp("ext4")
    return ext4(directory / "a", epoch=1_700_000_000), ext4(directory / "b", epoch=1_700_000_100)


@pytest.mark.parametrize(
    ("name", "expected", "fix"),
    [
        ("uuid", "filesystem-uuid", "[Output]\nSeed="),
        ("hash_seed", "hash-seed", '[Build]\nEnvironment="SYSTEMD_REPART_MKFS_OPTIONS_EXT4=-E hash_seed='),
        ("mkfs_time", "filesystem-time", "[Content]\nSourceDateEpoch="),
        ("write_time", "filesystem-time", "[Content]\nSourceDateEpoch="),
        ("check_time", "filesystem-time", "[Content]\nSourceDateEpoch="),
    ],
)
def test_what_mke2fs_draws_or_dates_is_named(
    pair: tuple[Mapping[str, str], Mapping[str, str]], name: str, expected: str, fix: str
) -> None:
    told = finding(differs(("2:root",), Field.HEADER, pair[0][name], pair[1][name], name=name))
    assert told.cause == expected
    assert told.fix.startswith(fix)


@shows("hash-seed", by="mke2fs")
def test_the_advised_options_make_mke2fs_repeat_itself(
    tmp_path: Path, pair: tuple[Mapping[str, str], Mapping[str, str]]
) -> None:
    told = finding(differs(("2:root",), Field.HEADER, pair[0]["hash_seed"], pair[1]["hash_seed"], name="hash_seed"))
    line = next(line for line in told.fix.splitlines() if line.startswith("Environment="))
    options = line.removeprefix('Environment="SYSTEMD_REPART_MKFS_OPTIONS_EXT4=').removesuffix('"').split()
    seeds = {ext4(tmp_path / name, *options, epoch=1_700_000_000)["hash_seed"] for name in ("a", "b")}
    assert seeds == {pair[0]["hash_seed"]}


@shows("filesystem-uuid", by="mke2fs")
def test_the_seed_of_the_image_is_an_identifier_of_the_first_build(
    pair: tuple[Mapping[str, str], Mapping[str, str]],
) -> None:
    told = finding(differs(("2:root",), Field.HEADER, pair[0]["uuid"], pair[1]["uuid"], name="uuid"))
    assert told.fix == f"[Output]\nSeed={pair[0]['uuid']}"


def test_a_time_although_an_epoch_is_set_asks_for_newer_tools() -> None:
    told = finding(differs(("2:root",), Field.HEADER, 1, 2, name="mkfs_time"), Facts(epoch=1_700_000_000))
    assert "SourceDateEpoch=" not in told.fix
    assert "e2fsprogs 1.47.1" in told.fix


def test_a_count_that_nothing_explains_is_unknown() -> None:
    assert cause(differs(("2:root",), Field.HEADER, 2048, 4096, name="inode_count")) == "unknown"
    assert cause(differs(("2:root",), Field.HEADER, "one", "two", name="label")) == "unknown"


def volume_id(image: Path) -> str:
    run("mkfs.vfat", "-C", image, "2048")
    (number,) = struct.unpack_from("<I", image.read_bytes(), 0x27)
    return f"{number:08x}"


def test_the_volume_id_of_fat_is_an_identifier(tmp_path: Path) -> None:
    first = volume_id(tmp_path / "a")
    time.sleep(0.02)
    second = volume_id(tmp_path / "b")
    told = finding(differs(("1:esp",), Field.HEADER, first, second, name="volume_id", container="vfat"))
    assert told.cause == "filesystem-uuid"
    assert told.fix.startswith("[Output]\nSeed=")


@shows("filesystem-time", by="mksquashfs")
def test_the_time_of_a_squashfs_is_named(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("x")
    images = []
    for name, epoch in (("a", "1700000000"), ("b", "1700000100")):
        run("mksquashfs", source, tmp_path / name, "-quiet", "-no-progress", "-mkfs-time", epoch, "-all-time", "0")
        images.append((tmp_path / name).read_bytes())
    assert cause(changed("image.squashfs", *images)) == "filesystem-time"
    damaged = bytearray(images[1])
    damaged[40] ^= 1
    assert cause(changed("image.squashfs", images[0], bytes(damaged))) == "unknown"


def test_whatever_a_volume_s_headers_say_is_random_too() -> None:
    for name in ("uuid", "keyslots.0.kdf.salt", "header_salt"):
        assert cause(differs(("3:home",), Field.HEADER, "one", "two", name=name, container="luks")) == "luks-volume"
    payload = changed(("3:home",), b"one", b"two", field=Field.REGION, name="encrypted payload", container="luks")
    assert cause(payload) == "luks-volume"


@shows("luks-volume", by="cryptsetup")
def test_an_encrypted_volume_is_random(tmp_path: Path) -> None:
    images = []
    for name in ("a", "b"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(20 << 20)
        quick = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--batch-mode", "--key-file", "-")
        run("cryptsetup", "luksFormat", "--type", "luks2", *quick, tmp_path / name, stdin=b"secret")
        images.append((tmp_path / name).read_bytes()[: 64 << 10])
    assert cause(changed(("3:home",), *images, container="gpt")) == "luks-volume"
    assert cause(changed(("3:home",), images[0], bytes(64 << 10), container="gpt")) == "unknown"


@shows("btrfs-uuids", by="mkfs.btrfs")
def test_identifiers_that_mkfs_btrfs_lets_nobody_set_are_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(120 << 20)
        run("mkfs.btrfs", "--quiet", "-U", "0e9a6fe0-68f6-408c-bbeb-136054d20445", tmp_path / name)
    found = compared(tmp_path / "a", tmp_path / "b")
    assert found["btrfs-uuids"].bytes > 0
    assert "filesystem-uuid" not in found
    assert "unknown" not in found


@shows("fat-label-time", by="mkfs.vfat")
def test_the_label_of_a_fat_has_a_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run("mkfs.vfat", "-C", "-i", "12345678", "-n", "ESP", tmp_path / name, "2048")
        time.sleep(2.01 if name == "a" else 0)  # FAT keeps every other second
    found = compared(tmp_path / "a", tmp_path / "b")
    assert "--invariant" in found["fat-label-time"].fix
    for name in ("c", "d"):
        run("mkfs.vfat", "-C", "--invariant", "-n", "ESP", tmp_path / name, "2048")
    assert (tmp_path / "c").read_bytes() == (tmp_path / "d").read_bytes()


def f2fs(image: Path, *options: str, kernel: str = "") -> Path:
    """Make an f2fs; under another KERNEL in name, where a mount namespace may be had."""
    with image.open("wb") as file:
        file.truncate(64 << 20)
    argv = ("mkfs.f2fs", "-q", "-f", "-U", "0e9a6fe0-68f6-408c-bbeb-136054d20445", *options, str(image))
    if not kernel:
        run(*argv)
        return image
    version = image.with_suffix(".version")
    version.write_text(f"Linux version {kernel}\n")
    script = 'mount --bind "$1" /proc/version 2>&1 || exit 0; shift; "$@" > /dev/null && echo made'
    if "made" not in run("sh", "-c", f"unshare -m sh -c '{script}' sh \"$@\" || true", "sh", version, *argv).decode():
        pytest.skip("no mount namespace may be had")
    return image


@shows("f2fs-checkpoint", by="mkfs.f2fs")
def test_the_advised_option_fixes_the_checkpoint_of_f2fs(tmp_path: Path) -> None:
    for name in ("a", "b"):
        f2fs(tmp_path / name, "-T", "1700000000")
        time.sleep(1.1)
    found = compared(tmp_path / "a", tmp_path / "b")
    assert set(found) == {"f2fs-checkpoint", "bookkeeping"}
    assert found["bookkeeping"].consequence_of == ("f2fs-checkpoint",)
    option = found["f2fs-checkpoint"].fix.splitlines()[-1].rpartition("=")[2]
    for name in ("c", "d"):
        f2fs(tmp_path / name, option, "-T", "1700000000")
        time.sleep(1.1)
    assert (tmp_path / "c").read_bytes() == (tmp_path / "d").read_bytes()


@shows("f2fs-kernel", by="sh")
def test_the_kernel_that_f2fs_names_is_told(tmp_path: Path) -> None:
    for name in ("a", "b"):
        f2fs(tmp_path / name, "-r", "-T", "1700000000", kernel=f"6.1.{name}")
    found = compared(tmp_path / "a", tmp_path / "b")
    assert "f2fs-kernel" in found
    assert "unknown" not in found


def test_the_times_of_f2fs_are_fixed_by_an_option(tmp_path: Path) -> None:
    for name, epoch in (("a", "1700000000"), ("b", "1700000100")):
        f2fs(tmp_path / name, "-r", "-T", epoch)
    told = compared(tmp_path / "a", tmp_path / "b", Facts(epoch=1_600_000_000))["inode-time"]
    assert "SYSTEMD_REPART_MKFS_OPTIONS_F2FS=-r -T 1600000000" in told.fix
