"""Which of Debian's packages stand in for which of Arch's."""

from collections.abc import Mapping
from typing import Final

# What is asked of apt; what these depend on comes along and keeps its name, unless it is in RENAMED or DROPPED.
WANTED: Final = (
    "bash", "coreutils", "findutils", "gawk", "gpg", "gpg-agent", "gpgv", "grep", "gzip", "libc-bin",
    "pacman-package-manager", "passwd", "sed", "systemd", "tar", "tree", "util-linux",
    # What starts, and what mkosi puts into the initrd.
    "btrfs-progs", "dbus", "dosfstools", "e2fsprogs", "fdisk", "kmod", "less", "libfido2-1", "libnss-myhostname",
    "libnss-systemd", "libpam-modules", "libpam-systemd", "libseccomp2",
    "libtss2-esys-3.0.2-0t64", "libtss2-rc0t64", "login", "mount", "procps",
    "systemd-boot-efi", "systemd-boot-tools", "systemd-container", "systemd-cryptsetup", "systemd-repart",
    "systemd-resolved", "systemd-sysv", "systemd-timesyncd", "udev", "xfsprogs",
    # What the profiles of examples/arch add.
    "cloud-guest-utils", "cloud-init", "fakeroot", "git", "iproute2", "m4", "make", "openssh-client", "openssh-server",
    "patch", "qemu-guest-agent", "sudo",
)  # fmt: skip

# The same without what they depend on: compilers (of makepkg, of which pacman-key needs a part), a whole GRUB.
ALONE: Final = ("grub-pc-bin", "makepkg")

# The kernel: a package without content, whose dependencies of the same source are followed.
KERNEL: Final = "linux-image-cloud-amd64"
OF_THE_KERNEL: Final = r"linux-(?:image|binary|modules|base)-\d[\w.+-]*"

# Arch's name of what Debian calls otherwise, or cuts into several packages.
RENAMED: Final[Mapping[str, str]] = {
    "gpg": "gnupg",
    "gpg-agent": "gnupg",
    "gpgconf": "gnupg",
    "gpgv": "gnupg",
    "grub-pc-bin": "grub",
    "libblkid1": "util-linux-libs",
    "libc-bin": "glibc",
    "libc-gconv-modules-extra": "glibc",
    "libc6": "glibc",
    "libcap2": "libcap",
    "libcap2-bin": "libcap",
    "libcom-err2": "e2fsprogs",
    "libcryptsetup12": "cryptsetup",
    # With OpenSSL, as in Arch; git and pacman here have that with GnuTLS.
    "libcurl4t64": "curl",
    "libext2fs2t64": "e2fsprogs",
    "libfdisk1": "util-linux-libs",
    "libfido2-1": "libfido2",
    "libkmod2": "kmod",
    "libmount1": "util-linux-libs",
    "libnss-myhostname": "systemd",
    "libnss-systemd": "systemd",
    "libpam-systemd": "systemd",
    "libproc2-1": "procps-ng",
    "libseccomp2": "libseccomp",
    "libsmartcols1": "util-linux-libs",
    "libss2": "e2fsprogs",
    "libsystemd-shared": "systemd",
    "libsystemd0": "systemd-libs",
    "libudev1": "systemd-libs",
    "libuuid1": "util-linux-libs",
    "login": "util-linux",
    "login.defs": "shadow",
    "logsave": "e2fsprogs",
    "makepkg": "pacman",
    "mount": "util-linux",
    "eject": "util-linux",
    "fdisk": "util-linux",
    "netbase": "iana-etc",
    "netcat-openbsd": "openbsd-netcat",
    "pacman-package-manager": "pacman",
    "passwd": "shadow",
    "procps": "procps-ng",
    "systemd-sysv": "systemd-sysvcompat",
    "udev": "systemd",
}

# The same by what the whole name matches, after RENAMED.
RENAMED_BY_PATTERN: Final[Mapping[str, str]] = {
    OF_THE_KERNEL: "linux",
    r"(?:lib)?python3(?:\.\d+)?(?:-minimal|-stdlib)?": "python",
    r"(?:libperl|perl-modules-)[\d.]+(?:t64)?|perl-base": "perl",
    r"libpam.*": "pam",
    r"libtss2-.*": "tpm2-tss",
    r"(?:lib)?dbus-.*": "dbus",
    r"git-man": "git",
    r"openssh-.*": "openssh",
    r"systemd-(?:boot-efi|boot-tools|container|cryptsetup|repart|resolved|timesyncd|tpm)": "systemd",
}

# What keeps a Debian together, and has no business in an Arch.
DROPPED: Final = frozenset(
    (
        "adduser", "base-files", "base-passwd", "ca-certificates", "dash", "debconf", "debianutils", "dhcpcd-base",
        "dpkg", "init-system-helpers", "libc-l10n", "libdebconfclient0", "libtext-charwidth-perl",
        "libtext-wrapi18n-perl", "locales", "runit-helper", "sensible-utils", "ucf",
    )
)  # fmt: skip

# The repository `extra`; all others are in `core`.
EXTRA: Final = frozenset(
    (
        "cloud-guest-utils",
        "cloud-init",
        "git",
        "gitlab-runner",
        "openbsd-netcat",
        "qemu-guest-agent",
        "tree",
        "virtualbox-guest-utils-nox",
    )
)

# What Arch's base asks for, as far as there is a stand-in.
BASE: Final = (
    "archlinux-keyring",
    "bash",
    "coreutils",
    "filesystem",
    "findutils",
    "gawk",
    "glibc",
    "grep",
    "gzip",
    "iproute2",
    "pacman",
    "procps-ng",
    "sed",
    "shadow",
    "systemd",
    "systemd-sysvcompat",
    "tar",
    "util-linux",
)
# The same of base-devel. No compiler: that would be half of what is fetched.
BASE_DEVEL: Final = ("fakeroot", "gawk", "grep", "gzip", "m4", "make", "pacman", "patch", "sed", "sudo")

# Arch has one directory where Debian has several; in this order, the longest prefix first.
MOVED: Final[Mapping[str, str]] = {
    "usr/lib64": "usr/lib",
    "usr/sbin": "usr/bin",
    "lib64": "usr/lib",
    "sbin": "usr/bin",
    "bin": "usr/bin",
    "lib": "usr/lib",
}

# Documentation and what belongs to Debian's own administration; in /boot all but the kernel, which is moved before.
LEFT_OUT: Final = (
    "boot/",
    "etc/cron.",
    "etc/default/",
    "etc/init.d/",
    "etc/logrotate.d/",
    "etc/rc",
    "etc/sv/",
    "etc/ufw/",
    "usr/lib/systemd/system/ssh.",
    "usr/lib/systemd/system/sshd-keygen.",
    "usr/share/apport/",
    "usr/share/bash-completion/",
    "usr/share/bug/",
    "usr/share/doc/",
    "usr/share/doc-base/",
    "usr/share/fish/",
    "usr/share/info/",
    "usr/share/initramfs-tools/",
    "usr/share/lintian/",
    "usr/share/locale/",
    "usr/share/man/",
    "usr/share/menu/",
    "usr/share/runit/",
    "usr/share/zsh/",
    "var/cache/pacman/pkg/",
)

# Arch's numbers of the groups that Debian's packages give files to; it has no group `shadow`, and setuid instead.
GROUPS: Final[Mapping[str, int]] = {"root": 0, "tty": 5, "mail": 12, "shadow": 0, "utmp": 997, "_ssh": 0}
