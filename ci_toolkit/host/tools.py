"""The programs that a build calls: their versions, and the version from which each is good enough."""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from ci_toolkit import process
from ci_toolkit.host.capabilities import Capability
from ci_toolkit.process import MINIMAL, Command, Completed

_SECONDS: Final = 10.0

# mkosi asks who calls it even when it only tells its version, and a container's user may have no name.
_ENVIRONMENT: Final = {**MINIMAL, "LOGNAME": "builder"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One program, how it tells its version, and the least version that will do.

    `version` is a pattern whose group is the version in what ARGV writes; None where the tool does not tell it (then
    DEBIAN, the name of its package, is asked for). `minimum` is empty where any version will do.
    """

    name: str
    argv: tuple[str, ...]
    debian: str
    why: str
    version: str | None = None
    minimum: tuple[int, ...] = ()


_SYSTEMD: Final = r"^\w+ (\d+)"

MKOSI: Final = Tool(
    name="mkosi",
    argv=("mkosi", "--version"),
    debian="mkosi",
    version=r"mkosi (\d+(?:\.\d+)*)",
    minimum=(25,),
    why="It builds the images; before 25 it cannot run as root of a user namespace without privileges.",
)

# mkosi's own first, then what makes file systems, then package managers. The gates are the versions from which the
# tool's part of an image is the same twice (CAUSES R32, R58 to R70 name the changes).
TOOLS: Final = (
    Tool(
        name="systemd-repart",
        argv=("systemd-repart", "--version"),
        debian="systemd-repart",
        version=_SYSTEMD,
        minimum=(260,),
        why="It makes the partitions; from 260 it derives the ext4 hash seed from Seed=, before that it is random.",
    ),
    Tool(
        name="ukify",
        argv=("ukify", "--version"),
        debian="systemd-ukify",
        version=_SYSTEMD,
        minimum=(254,),
        why="It joins kernel, initrd and command line into the unified kernel image.",
    ),
    Tool(
        name="mkfs.ext4",
        argv=("mkfs.ext4", "-V"),
        debian="e2fsprogs",
        version=r"mke2fs (\d+(?:\.\d+)*)",
        minimum=(1, 47, 1),
        why="From 1.47.1 it takes its times from SOURCE_DATE_EPOCH.",
    ),
    Tool(
        name="mkfs.xfs",
        argv=("mkfs.xfs", "-V"),
        debian="xfsprogs",
        version=r"version (\d+(?:\.\d+)*)",
        minimum=(6, 17),
        why="From 6.17 it fills a file system from a directory, deterministically.",
    ),
    Tool(
        name="mkfs.vfat",
        argv=("mkfs.vfat", "--help"),
        debian="dosfstools",
        why="It makes the ESP; 4.2 takes no SOURCE_DATE_EPOCH, so systemd-repart has to pass the volume id.",
        minimum=(4, 2),
    ),
    Tool(
        name="mkfs.btrfs",
        argv=("mkfs.btrfs", "--version"),
        debian="btrfs-progs",
        version=r"v(\d+(?:\.\d+)*)",
        why="No release is deterministic yet: two UUIDs are random. Prefer ext4, squashfs or erofs.",
    ),
    Tool(
        name="mkfs.erofs",
        argv=("mkfs.erofs", "-V"),
        debian="erofs-utils",
        version=r"(\d+(?:\.\d+)+)",
        why="For read-only images; deterministic with a fixed UUID and SOURCE_DATE_EPOCH.",
    ),
    Tool(
        name="mksquashfs",
        argv=("mksquashfs", "-version"),
        debian="squashfs-tools",
        version=r"version (\d+(?:\.\d+)*)",
        why="For read-only images; deterministic with SOURCE_DATE_EPOCH.",
    ),
    Tool(
        name="mcopy",
        argv=("mcopy", "--version"),
        debian="mtools",
        version=r"mtools\) (\d+(?:\.\d+)*)",
        why="It fills the ESP without mounting it.",
    ),
    Tool(
        name="depmod",
        argv=("depmod", "--version"),
        debian="kmod",
        version=r"version (\d+(?:\.\d+)*)",
        why="It writes the kernel modules' index into the image.",
    ),
    Tool(
        name="zstd",
        argv=("zstd", "--version"),
        debian="zstd",
        version=r"v(\d+(?:\.\d+)*)",
        why="It packs the initrd; another version packs the same files into other bytes.",
    ),
    Tool(
        name="git",
        argv=("git", "--version"),
        debian="git",
        version=r"version (\d+(?:\.\d+)*)",
        minimum=(2, 35, 2),
        why="It tells the modes and the time of the sources; from 2.35.2 it refuses a checkout of another user.",
    ),
    Tool(
        name="pacman",
        argv=("pacman", "--version"),
        debian="pacman-package-manager",
        version=r"Pacman v(\d+(?:\.\d+)*)",
        minimum=(7, 1),
        why="It installs Arch Linux; from 7.1 INSTALLDATE in its database honours SOURCE_DATE_EPOCH.",
    ),
    Tool(
        name="apt",
        argv=("apt", "--version"),
        debian="apt",
        version=r"apt (\d+(?:\.\d+)*)",
        why="It installs Debian and Ubuntu.",
    ),
    Tool(
        name="dnf",
        argv=("dnf", "--version"),
        debian="dnf",
        version=r"(\d+(?:\.\d+)+)",
        why="It installs Fedora.",
    ),
    Tool(
        name="zypper",
        argv=("zypper", "--version"),
        debian="zypper",
        version=r"zypper (\d+(?:\.\d+)*)",
        why="It installs openSUSE.",
    ),
)


def probe_all() -> tuple[Capability, ...]:
    """Look at every tool of TOOLS, several at a time."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        return tuple(pool.map(lambda tool: probe(tool, prefix="tool:"), TOOLS))


def probe(tool: Tool, *, prefix: str = "", caller_path: str | None = None) -> Capability:
    """Ask TOOL for its version, as a build would find it: in process.MINIMAL's PATH, whatever CALLER_PATH holds."""
    completed = process.run(Command(argv=tool.argv, environment=_ENVIRONMENT), timeout_seconds=_SECONDS)
    missing = completed.exit_code == 127
    version = _packaged(tool) if tool.version is None and not missing else None
    elsewhere = shutil.which(tool.argv[0], path=caller_path) if missing and caller_path else None
    return judge(tool, completed, version, name=prefix + tool.name, elsewhere=elsewhere)


def judge(
    tool: Tool, completed: Completed, packaged: str | None, *, name: str, elsewhere: str | None = None
) -> Capability:
    """Return what COMPLETED, a run of TOOL's argv, says.

    PACKAGED is the version that the package manager knows, ELSEWHERE where the caller, but no build, finds the tool.
    """
    needed = ".".join(map(str, tool.minimum))
    # Some tools write their version to stderr, and some end with a failure when asked for it.
    version = find_version(tool, completed.stdout + completed.stderr) or packaged
    available = True
    if completed.exit_code == 127:
        available, reason = False, f"{tool.name} is not installed"
        if elsewhere is not None:
            reason = f"{elsewhere} is outside the PATH that a build gets ({MINIMAL['PATH']})"
    elif completed.exit_code == 124:
        available, reason = False, f"{tool.name} gave no answer within {_SECONDS:.0f} s"
    elif version is None:
        available, reason = (
            not tool.minimum or tool.version is None,
            f"{tool.name}, version unknown{_last_words(completed)}",
        )
    elif numbers(version) < tool.minimum:
        available, reason = False, f"{tool.name} {version}, needed is {needed}"
    else:
        reason = f"{tool.name} {version}"
    fix = f"Install {tool.debian}" + (f" {needed} or newer" if needed else "")
    return Capability(
        name=name,
        available=available,
        reason=reason,
        why=tool.why,
        fix=f"{fix} (Debian's name), or build in the toolkit's container, which has it.",
    )


def _last_words(completed: Completed) -> str:
    lines = completed.stderr.strip().splitlines()
    return f": {lines[-1][:200]}" if lines and not completed.ok else ""


def find_version(tool: Tool, text: str) -> str | None:
    """Return the version of TOOL in TEXT, what it wrote, or None."""
    match = re.search(tool.version, text, re.MULTILINE) if tool.version is not None else None
    return match.group(1) if match else None


def numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of VERSION: "1.47.1-rc2" is (1, 47, 1)."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, match.group().split("."))) if match else ()


def qemu(machine: str) -> Capability:
    """Tell whether the QEMU for MACHINE (os.uname's name of this architecture) is installed."""
    name = emulator(machine)
    found = shutil.which(name, path=MINIMAL["PATH"])
    return Capability(
        name="qemu",
        available=found is not None,
        reason=found or f"{name} is not installed",
        why="The VM runner builds where no user namespace can be had, and `ci-toolkit boot` starts the image.",
        fix="Install qemu-system-x86 or your architecture's (Debian's names), or use the toolkit's container.",
    )


def emulator(machine: str) -> str:
    """Return the name of QEMU's program for MACHINE."""
    return f"qemu-system-{machine}"


def _packaged(tool: Tool) -> str | None:
    """Ask the package manager for the version, for a tool that keeps it to itself; dpkg's, pacman's or rpm's."""
    for argv in (
        ("dpkg-query", "--show", "--showformat=${Version}", tool.debian),
        ("pacman", "-Q", tool.debian),
        ("rpm", "-q", "--queryformat", "%{VERSION}", tool.debian),
    ):
        completed = process.run(Command(argv=argv), timeout_seconds=_SECONDS)
        if completed.ok and completed.stdout:
            return completed.stdout.strip().rpartition(" ")[2]
    return None
