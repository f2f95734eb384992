import shutil
import subprocess

import pytest

from ci_toolkit.host import tools
from ci_toolkit.host.tools import MKOSI, TOOLS, Tool
from ci_toolkit.process import MINIMAL, Command, Completed

# What each tool wrote on Debian testing and on Debian 12 when it was asked for its version.
SAID = {
    "mkosi": ("mkosi 27.1\n", "27.1"),
    "systemd-repart": ("systemd 262 (262-1)\n+PAM +AUDIT +SELINUX\n", "262"),
    "ukify": ("ukify 262 (262-1)\n", "262"),
    "mkfs.ext4": ("mke2fs 1.47.4 (6-Mar-2025)\n\tUsing EXT2FS Library version 1.47.4\n", "1.47.4"),
    "mkfs.xfs": ("mkfs.xfs version 7.2.0\n", "7.2.0"),
    "mkfs.vfat": ("Usage: mkfs.fat [OPTIONS] TARGET [BLOCKS]\nup to BLOCKS 1024 byte blocks\n", None),
    "mkfs.btrfs": ("mkfs.btrfs, part of btrfs-progs v7.1\n-EXPERIMENTAL -INJECT\n", "7.1"),
    "mkfs.erofs": ("mkfs.erofs (erofs-utils) 1.9.4\navailable compressors: lz4, zstd\n", "1.9.4"),
    "mksquashfs": ("mksquashfs version 4.7.5 (2026/03/01)\ncopyright (C) 2026\n", "4.7.5"),
    "mcopy": ("mcopy (GNU mtools) 4.0.49\nconfigured with the following options: enable-xdf\n", "4.0.49"),
    "depmod": ("kmod version 34.2\n+ZSTD +XZ\n", "34.2"),
    "zstd": ("*** Zstandard CLI (64-bit) v1.5.7, by Yann Collet ***\n", "1.5.7"),
    "git": ("git version 2.53.0\n", "2.53.0"),
    "pacman": (
        "\n .--.                  Pacman v7.1.0 - libalpm v16.0.0\n/ _.-' .-.   Copyright (C) 2006-2025\n",
        "7.1.0",
    ),
    "apt": ("apt 3.3.3 (amd64)\n", "3.3.3"),
    "dnf": ("4.24.0\n  Installed: rpm-0:4.20.1-1.x86_64\n", "4.24.0"),
    "zypper": ("zypper 1.14.101\n", "1.14.101"),
}
EXT4 = next(tool for tool in TOOLS if tool.name == "mkfs.ext4")
VFAT = next(tool for tool in TOOLS if tool.name == "mkfs.vfat")


def completed(tool: Tool, *, stdout: str = "", stderr: str = "", exit_code: int = 0) -> Completed:
    return Completed(command=Command(argv=tool.argv), exit_code=exit_code, stdout=stdout, stderr=stderr)


@pytest.mark.parametrize("tool", (MKOSI, *TOOLS), ids=lambda tool: tool.name)
def test_the_version_is_found_in_what_the_tool_says(tool: Tool) -> None:
    said, version = SAID[tool.name]
    assert tools.find_version(tool, said) == version


@pytest.mark.parametrize(
    ("version", "available"),
    [("1.47.0", False), ("1.47.1-rc2", True), ("1.47.1", True), ("1.47", False), ("1.48", True), ("2.0", True)],
)
def test_the_gate_of_ext4_is_1_47_1(version: str, available: bool) -> None:
    # mke2fs writes it to stderr.
    found = tools.judge(EXT4, completed(EXT4, stderr=f"mke2fs {version} (6-Mar-2025)\n"), None, name="tool:mkfs.ext4")
    assert found.available is available
    assert ("needed is 1.47.1" in found.reason) is not available


def test_mkosi_before_25_is_too_old() -> None:
    assert not tools.judge(MKOSI, completed(MKOSI, stdout="mkosi 24.3\n"), None, name="mkosi").available
    assert tools.judge(MKOSI, completed(MKOSI, stdout="mkosi 25\n"), None, name="mkosi").available
    assert tools.judge(MKOSI, completed(MKOSI, stdout="mkosi 26~devel\n"), None, name="mkosi").available


def test_a_mkosi_that_does_not_start_is_none() -> None:
    broken = completed(MKOSI, stderr="Traceback\nModuleNotFoundError: No module named 'mkosi'\n", exit_code=1)
    found = tools.judge(MKOSI, broken, None, name="mkosi")
    assert not found.available
    assert found.reason == "mkosi, version unknown: ModuleNotFoundError: No module named 'mkosi'"


def test_a_tool_that_keeps_its_version_to_itself_is_judged_by_its_package() -> None:
    said = completed(VFAT, stdout=SAID["mkfs.vfat"][0])
    assert tools.judge(VFAT, said, "4.2-1.1", name="tool:mkfs.vfat").available
    assert not tools.judge(VFAT, said, "4.1-2", name="tool:mkfs.vfat").available
    assert tools.judge(VFAT, said, None, name="tool:mkfs.vfat").reason == "mkfs.vfat, version unknown"


def test_a_tool_that_hangs_or_is_missing_has_its_reason() -> None:
    assert "no answer" in tools.judge(EXT4, completed(EXT4, exit_code=124), None, name="x").reason
    missing = tools.judge(EXT4, completed(EXT4, exit_code=127, stderr="mkfs.ext4: not found"), None, name="x")
    assert missing.reason == "mkfs.ext4 is not installed"
    assert missing.fix.startswith("Install e2fsprogs 1.47.1 or newer")


def test_a_tool_that_only_the_caller_finds_is_told_apart() -> None:
    missing = completed(MKOSI, exit_code=127)
    found = tools.judge(MKOSI, missing, None, name="mkosi", elsewhere="/home/alice/.local/bin/mkosi")
    assert not found.available
    assert found.reason.startswith("/home/alice/.local/bin/mkosi is outside the PATH")


def test_the_version_of_git_here_is_what_git_says() -> None:
    git = shutil.which("git", path=MINIMAL["PATH"])
    if git is None:
        pytest.skip("git is not installed")
    said = subprocess.run((git, "--version"), capture_output=True, text=True, check=True).stdout
    tool = next(tool for tool in TOOLS if tool.name == "git")
    assert tools.probe(tool).reason.split()[1] in said


def test_qemu_is_found_exactly_where_the_shell_finds_it() -> None:
    found = tools.qemu("x86_64")
    assert found.available == (shutil.which("qemu-system-x86_64", path=MINIMAL["PATH"]) is not None)
    assert not tools.qemu("pdp11").available
