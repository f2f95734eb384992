"""Debian packages the set-up may add to the machine, each with the reason for it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bootstrap.failures import RefusedError
from bootstrap.programs import Outcome
from bootstrap.workplace import Workplace


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program, the Debian package that brings it, and what it is for; `service` is what the package would start."""

    program: str
    package: str
    why: str
    service: str = ""


# Debian's packages ask it whether a service may be started: invoke-rc.d(8).
_POLICY: Final = Path("/usr/sbin/policy-rc.d")

# What the tests take their truths from. Where one is missing and cannot be installed, its tests are skipped.
TEST_TOOLS: Final = (
    Tool(program="sfdisk", package="fdisk", why="writes and reads partition tables"),
    Tool(program="mke2fs", package="e2fsprogs", why="makes ext4; debugfs reads it"),
    Tool(program="mkfs.btrfs", package="btrfs-progs", why="makes btrfs; btrfs inspect-internal reads it"),
    Tool(program="mkfs.xfs", package="xfsprogs", why="makes XFS; xfs_db reads it"),
    Tool(program="sload.f2fs", package="f2fs-tools", why="makes f2fs; dump.f2fs reads it"),
    Tool(program="mkfs.vfat", package="dosfstools", why="makes FAT"),
    Tool(program="mcopy", package="mtools", why="fills FAT without mounting"),
    Tool(program="unsquashfs", package="squashfs-tools", why="makes squashfs and reads it"),
    Tool(program="fsck.erofs", package="erofs-utils", why="makes EROFS and reads it"),
    Tool(program="cpio", package="cpio", why="writes and reads initrds"),
    Tool(program="tar", package="tar", why="writes and reads archives"),
    Tool(program="bsdtar", package="libarchive-tools", why="reads lists of files (mtree)"),
    Tool(program="zip", package="zip", why="makes zip archives"),
    Tool(program="unzip", package="unzip", why="lists and unpacks zip archives"),
    Tool(program="gzip", package="gzip", why="compresses"),
    Tool(program="xz", package="xz-utils", why="compresses"),
    Tool(program="lzop", package="lzop", why="compresses"),
    Tool(program="zstd", package="zstd", why="compresses"),
    Tool(program="lz4", package="lz4", why="compresses, kernels' initrds too"),
    Tool(program="objcopy", package="binutils", why="makes PE files with sections of our choice"),
    Tool(program="bootctl", package="systemd-boot", why="brings the EFI stub that unified kernel images begin with"),
    Tool(program="modinfo", package="kmod", why="reads kernel modules and their signatures"),
    Tool(program="skopeo", package="skopeo", why="copies container images, and inspects them"),
    Tool(
        program="docker-registry", package="docker-registry", why="is a registry to push to", service="docker-registry"
    ),
    Tool(program="gpg-agent", package="gpg-agent", why="makes keys and signs with them"),
    Tool(program="sqlite3", package="sqlite3", why="makes databases, and dumps them"),
    Tool(program="systemd-hwdb", package="udev", why="makes the hardware database"),
    Tool(program="journalctl", package="systemd", why="makes the catalog of messages"),
    Tool(program="gcc", package="gcc", why="makes ELF programs"),
    Tool(program="openssl", package="openssl", why="hashes passwords, makes certificates"),
    Tool(program="mkpasswd", package="whois", why="salts passwords as crypt(3) does"),
    Tool(program="sbsign", package="sbsigntool", why="signs PE files"),
    Tool(program="ssh-keygen", package="openssh-client", why="makes host keys"),
    Tool(program="/usr/sbin/sshd", package="openssh-server", why="lets checks log in", service="ssh"),
    Tool(program="setfacl", package="acl", why="sets default ACLs"),
    Tool(program="setcap", package="libcap2-bin", why="sets file capabilities"),
    Tool(program="setfattr", package="attr", why="sets extended attributes"),
    Tool(program="dropbearkey", package="dropbear-bin", why="makes host keys"),
    Tool(program="gpg", package="gpg", why="makes a keyring"),
    Tool(program="dbus-uuidgen", package="dbus-bin", why="makes machine ids"),
    Tool(program="uuidgen", package="uuid-runtime", why="makes random UUIDs"),
    Tool(program="nvme", package="nvme-cli", why="makes host ids"),
    Tool(program="iscsi-iname", package="open-iscsi", why="makes initiator names"),
    Tool(program="useradd", package="passwd", why="makes users; chage dates their passwords"),
    Tool(program="pacman", package="pacman-package-manager", why="installs packages, with its records and log"),
    Tool(program="rpm", package="rpm", why="makes packages and its database"),
    Tool(program="dracut", package="dracut-core", why="makes initrds"),
    Tool(program="logrotate", package="logrotate", why="keeps its state"),
    Tool(program="pigz", package="pigz", why="compresses in another way than gzip"),
    Tool(program="umoci", package="umoci", why="makes container images"),
    Tool(program="cert-to-efi-sig-list", package="efitools", why="makes lists of Secure Boot keys"),
    Tool(program="keytool", package="default-jre-headless", why="makes Java's key stores"),
    Tool(program="mandb", package="man-db", why="makes the index of manual pages"),
    Tool(program="fc-cache", package="fontconfig", why="makes the cache of fonts"),
    Tool(program="gtk-update-icon-cache", package="gtk-update-icon-cache", why="makes the index of icons"),
    Tool(program="glib-compile-schemas", package="libglib2.0-bin", why="compiles schemas"),
    Tool(program="update-mime-database", package="shared-mime-info", why="makes the database of file types"),
    Tool(program="xb-tool", package="libxmlb-utils", why="compiles catalogues as AppStream does"),
    Tool(program="locale-gen", package="locales", why="has the sources of locales, for localedef"),
    Tool(program="rsync", package="rsync", why="gitlab-ci-local copies with it"),
    Tool(program="newuidmap", package="uidmap", why="writes id maps for a user"),
    Tool(program="qemu-img", package="qemu-utils", why="makes virtual disks and takes the disk out of them"),
    Tool(program="vagrant", package="vagrant", why="adds boxes, whose files ruby reads"),
    Tool(program="xorriso", package="xorriso", why="makes ISO images and reads them"),
    Tool(program="genisoimage", package="genisoimage", why="makes ISO images; isoinfo reads them"),
    Tool(program="mkswap", package="util-linux", why="makes swap areas; blkid names identifiers"),
    Tool(program="veritysetup", package="cryptsetup-bin", why="makes hash trees of dm-verity, and encrypted volumes"),
    Tool(program="qemu-system-x86_64", package="qemu-system-x86", why="boots, to tell whether KVM works, and images"),
    Tool(program="file", package="file", why="tells what a picture is"),
    Tool(program="shellcheck", package="shellcheck", why="judges the script that runs in an image"),
    Tool(program="chromium", package="chromium", why="shows the HTML report, and runs its script"),
    Tool(program="diffoscope", package="diffoscope-minimal", why="looks into the files that no rule explains"),
    Tool(program="podman", package="podman", why="runs containers as Docker does"),
    Tool(program="/usr/lib/podman/netavark", package="netavark", why="is Podman's network"),
    Tool(program="catatonit", package="catatonit", why="is the first program of Podman's containers"),
    Tool(program="slirp4netns", package="slirp4netns", why="is the network of a plain user's Podman"),
    Tool(program="git", package="git", why="makes repositories to build from"),
)


def missing(workplace: Workplace, tools: Iterable[Tool]) -> tuple[Tool, ...]:
    """Return those of TOOLS whose program is not there."""
    return tuple(tool for tool in tools if workplace.programs.find(tool.program) is None)


def add_test_tools(workplace: Workplace) -> None:
    """Install what the tests want, where that is allowed; name what stays missing."""
    wanted = missing(workplace, TEST_TOOLS)
    if not wanted:
        workplace.journal.reused("tools for the tests")
        return
    if workplace.is_root and workplace.programs.find("apt-get"):
        with workplace.journal.step(f"Debian packages for the tests: {_names(wanted)}"):
            with _no_service_starts():
                _try(workplace, [tool.package for tool in wanted])
            for service in filter(None, (tool.service for tool in wanted)):
                workplace.programs.ask(["systemctl", "disable", service])
    left = missing(workplace, TEST_TOOLS)
    if left:
        workplace.journal.note(
            f"tests will be skipped for want of {_names(left)}; as root: apt-get install {_names(left)}"
        )


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Keep packages from starting what they bring: tests start it where they want it, and nobody else may have to."""
    mine = not _POLICY.exists()
    if mine:
        _POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
        _POLICY.chmod(0o755)
    try:
        yield
    finally:
        if mine:
            _POLICY.unlink(missing_ok=True)


def require(workplace: Workplace, packages: Iterable[str], why: str, *, optional: Iterable[str] = ()) -> None:
    """Install PACKAGES, and those of OPTIONAL that this release has; raise RefusedError where that is not possible."""
    names = tuple(packages)
    sentence = f"{why}: as root, run `apt-get install {' '.join(names)}`"
    if workplace.programs.find("apt-get") is None:
        raise RefusedError(
            f"{why}, and this is no Debian or Ubuntu", hint=f"Install what Debian calls {' '.join(names)}."
        )
    if not workplace.is_root:
        raise RefusedError(sentence, hint="Or call make as root, which then does it.")
    _update(workplace)
    known = [name for name in optional if _is_carried(workplace, name)]
    _install(workplace, [*names, *known]).demand(sentence)


def _is_carried(workplace: Workplace, package: str) -> bool:
    """Tell whether this release has PACKAGE: of a merely virtual name apt-cache says nothing, with exit code 0."""
    answer = workplace.programs.ask(["apt-cache", "show", package])
    return answer.ok and bool(answer.output.strip())


def _try(workplace: Workplace, packages: list[str]) -> None:
    """Install PACKAGES together, or where one of them spoils it, each alone."""
    _update(workplace)
    if not _install(workplace, packages).ok:
        for package in packages:
            _install(workplace, [package])


def _update(workplace: Workplace) -> None:
    # A third party's archive that does not answer makes this fail; whether it matters, the installation tells.
    workplace.programs.run(["apt-get", "update", "-q"], timeout_seconds=300)


def _install(workplace: Workplace, packages: list[str]) -> Outcome:
    return workplace.programs.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages])


def _names(tools: Iterable[Tool]) -> str:
    return " ".join(dict.fromkeys(tool.package for tool in tools))
