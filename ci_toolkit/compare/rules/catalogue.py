"""The catalogue of what is known to make images irreproducible, and which rule tells each of it.

It is wider than the table of rules: some of it shows under another cause, and some not at all in two images.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One known way to build twice and get two images.

    `causes` are the identifiers of the rules that name it; where there are none, `unseen` says why two images cannot
    show it.
    """

    number: int
    subject: str
    causes: tuple[str, ...] = ()
    unseen: str = ""


def _seen(number: int, subject: str, *causes: str) -> Row:
    return Row(number=number, subject=subject, causes=causes)


def _unseen(number: int, subject: str, why: str) -> Row:
    return Row(number=number, subject=subject, unseen=why)


CATALOGUE: Final = (
    # Inputs and surroundings.
    _seen(1, "a rolling mirror", "package-set", "kernel-version"),
    _seen(2, "a snapshot's date that each job works out", "snapshot-date"),
    _seen(3, "tools of the host", "tool-version"),
    _seen(4, "the umask of a checkout", "umask"),
    _seen(5, "the umask of mkosi's own writes", "umask"),
    _seen(6, "set-group-id of the build directory", "set-id-bit"),
    _seen(7, "owners that a rootless build leaves out", "ownership", "builder-owner", "file-capability"),
    _seen(8, "security labels of the host", "security-label"),
    _seen(9, "sorting by the host's locale", "line-order", "locale"),
    _seen(10, "the host's time zone", "local-time", "zone", "time-zone"),
    _seen(
        11,
        "build paths in programs",
        *("binary-build-path", "debug-string-offset", "build-path", "home", "temporary-path", "build-id"),
    ),
    _seen(12, "the host's name", "hostname-file", "hostname"),
    _seen(13, "the running kernel in apt's configuration", "apt-autoremove-kernels"),
    _seen(14, "version and build number in os-release", "os-release-version"),
    # Times.
    _seen(15, "no epoch", "mtime", "build-timestamp"),
    _seen(16, "an epoch that does not reach the file", "late-mtime"),
    _seen(17, "times older than the epoch", "old-mtime"),
    _seen(18, "clock-epoch", "clock-epoch"),
    # Identities.
    _seen(19, "/etc/machine-id", "machine-id"),
    _seen(20, "D-Bus's machine id", "dbus-machine-id"),
    _seen(21, "saved random seed, key of credentials", "random-seed", "credential-secret"),
    _seen(22, "random seed on the ESP", "esp-random-seed"),
    _seen(23, "SSH host keys", "ssh-host-key", "dropbear-host-key"),
    _seen(24, "pacman's keyring", "pacman-keyring"),
    _seen(25, "salts of passwords", "password-salt"),
    _seen(26, "NVMe host id", "nvme-host-id"),
    _seen(27, "iSCSI initiator name", "iscsi-initiator-name"),
    _seen(
        28, "other state of a machine",
        "logrotate-state", "login-records", "gnupg-home", "shell-history", "private-key",
    ),
    _seen(29, "day of the last password change", "shadow-date"),
    _seen(30, "order and numbers of accounts", "account-order", "system-user-ids"),
    _seen(31, "backups of the account databases", "account-backup"),
    # Package managers.
    _seen(32, "pacman's dates of installation", "pacman-install-date"),
    _seen(33, "pacman's log", "pacman-log"),
    _seen(34, "pacman's mirrors and databases", "pacman-sync-database", "package-sources"),
    _seen(35, "logs of dpkg and apt", "log-file"),
    _seen(36, "caches and lists of apt", "apt-cache", "apt-lists"),
    _seen(37, "a snapshot in apt's sources", "package-sources", "snapshot-date"),
    _seen(38, "order of dpkg's and apt's records", "package-record-order"),
    _seen(39, "rewritten files of dpkg and debconf", "package-record-backup", "mtime"),
    _seen(40, "rpm's times of installation", "rpm-install-time"),
    _seen(41, "journals of the rpm database", "rpm-journal"),
    _seen(42, "dnf's history", "dnf-history"),
    _seen(43, "dnf's counters and logs", "dnf-state", "log-file"),
    _seen(44, "dated comments of authselect", "build-timestamp"),
    # Caches and indexes.
    _seen(45, "ldconfig's auxiliary cache", "ldconfig-cache", "linker-cache"),
    _seen(46, "mandb's index", "man-cache"),
    _seen(47, "fontconfig's cache", "font-cache", "random-uuid"),
    _seen(48, "Python's byte code", "pyc"),
    _seen(49, "Java's key store", "java-keystore"),
    _seen(50, "the journal's catalogue", "journal-catalog"),
    _seen(51, "paths in the hardware database", "hwdb"),
    _seen(52, "order of locales in their archive", "locale-archive"),
    _seen(53, "AppStream's cache", "appstream-cache"),
    _seen(54, "indexes of desktops", "icon-cache", "mime-cache", "schema-cache", "module-list"),
    _seen(55, "dkms's logs", "dkms-log"),
    _seen(56, "signatures of modules", "module-signature", "module-index"),
    _seen(57, "what download tools leave", "tool-cache", "temporary-file"),
    # File systems.
    _seen(58, "ext4's hash seed", "hash-seed"),
    _seen(59, "ext4's times", "filesystem-time", "inode-time"),
    _unseen(60, "an -E option that mke2fs dropped", "it shows as hash-seed, whose fix says all options in one -E"),
    _seen(61, "btrfs's identifiers", "btrfs-uuids", "inode-time"),
    _seen(62, "xfs's identifiers and times", "filesystem-uuid", "inode-time"),
    _seen(63, "squashfs's time", "filesystem-time"),
    _unseen(64, "squashfs 4.4's uninitialised attribute ids", "they are bytes of a table that mean nothing: unknown"),
    _seen(65, "erofs's time and identifier", "filesystem-time", "filesystem-uuid"),
    _seen(66, "hard links in erofs and squashfs", "hard-links", "layout"),
    _seen(67, "repart's store of hard links", "temporary-file"),
    _seen(68, "FAT's volume id and label", "filesystem-uuid", "fat-label-time"),
    _seen(69, "FAT's times", "fat-time"),
    _seen(70, "FAT's time zone", "time-zone"),
    _seen(71, "order of FAT's directories", "fat-order"),
    _seen(
        72, "identifiers of partitions",
        "gpt-guid", "partition-extent", "partition-table-checksum", "identifier-reference",
    ),
    _seen(73, "dm-verity's salt", "verity-salt"),
    _seen(74, "dm-verity's signature", "verity-signature"),
    _seen(75, "LUKS volumes", "luks-volume"),
    # Booting.
    _seen(76, "inodes and order of an initrd", "cpio-inodes", "cpio-order"),
    _seen(77, "times of microcode", "microcode-time"),
    _seen(78, "dracut's parameters", "dracut-parameters", "temporary-path"),
    _seen(79, "dracut's hard links", "hard-links"),
    _seen(80, "modules that an initrd was given", "initrd-modules"),
    _seen(81, "the time in a PE header", "pe-timestamp", "pe-checksum"),
    _seen(82, "Secure Boot signatures", "authenticode-signature"),
    _seen(83, "owner of Secure Boot keys", "secure-boot-owner"),
    _seen(
        84, "values derived from all others",
        "verity-hash", "verity-partition", "container", "bookkeeping", "checksum-list",
    ),
    # Formats.
    _seen(85, "order of a tar", "tar-order", "archive-order", "tar-owner-name"),
    _seen(86, "holes of sparse files in a tar", "tar-sparse", "tar-process-id"),
    _seen(87, "times of access in a tar", "tar-access-time"),
    _seen(88, "gzip's header", "gzip-header"),
    _seen(89, "gzip or pigz", "gzip-stream"),
    _seen(90, "threads of xz and zstd", "xz-stream", "compression-stream", "compression-format"),
    _seen(91, "when a container image was made", "oci-created"),
    _seen(92, "mkosi's version in a container image", "oci-mkosi-version"),
    _seen(93, "provenance in a container image", "oci-attestation"),
    _seen(94, "the name of a container image", "oci-image-name"),
    _seen(95, "order of a qcow2", "qcow2-order"),
    _seen(96, "content id of a VMDK", "vmdk-content-id", "vmdk-name"),
    _seen(97, "identifiers and times of VDI and VHD", "disk-image-uuid", "disk-image-time", "disk-image-checksum"),
    _seen(98, "OVF and Vagrant boxes", "random-uuid", "build-timestamp", "gzip-header", "tar-order"),
    _seen(99, "dates and identifiers of an ISO", "iso-time", "iso-disk-id"),
    _seen(100, "order and dates of lists and manifests", "line-order", "checksum-list", "build-timestamp"),
)  # fmt: skip

# Rules that no row of the catalogue asks for; people met these causes all the same.
BESIDES: Final = (
    "default-acl",
    "xattr-order",
    "ar-symbol-time",
    "disk-format",
    "oci-form",
    "f2fs-checkpoint",
    "f2fs-kernel",
    "rpm-build-time",
    "rpm-build-host",
)
