"""Which of Debian's packages stand in for which of Arch's."""

from collections.abc import Mapping
from typing import Final

# What is asked of apt; what these depend on comes along and keeps its name, unless it is in RENAMED or DROPPED.
WANTED: Final = (
    "bash",
    "coreutils",
    "findutils",
    "gawk",
    "gpg",
    "gpg-agent",
    "gpgv",
    "grep",
    "gzip",
    "libc-bin",
    "pacman-package-manager",
    "passwd",
    "sed",
    "systemd",
    "tar",
    "tree",
    "util-linux",
)

# The same without what they depend on, here compilers: pacman-key needs a part of it.
ALONE: Final = ("makepkg",)

# Arch's name of what Debian calls otherwise, or cuts into several packages.
RENAMED: Final[Mapping[str, str]] = {
    "gpg": "gnupg",
    "gpg-agent": "gnupg",
    "gpgconf": "gnupg",
    "gpgv": "gnupg",
    "libc-bin": "glibc",
    "libc-gconv-modules-extra": "glibc",
    "libc6": "glibc",
    "libsystemd-shared": "systemd",
    "libsystemd0": "systemd-libs",
    "libudev1": "systemd-libs",
    "login.defs": "shadow",
    "makepkg": "pacman",
    "pacman-package-manager": "pacman",
    "passwd": "shadow",
}

# What keeps a Debian together, and has no business in an Arch.
DROPPED: Final = frozenset({"base-files", "base-passwd", "dash", "debconf", "debianutils", "dpkg", "libdebconfclient0"})

# The repository `extra`; all others are in `core`.
EXTRA: Final = frozenset({"tree"})

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
    "pacman",
    "sed",
    "shadow",
    "systemd",
    "tar",
    "util-linux",
)

# Arch has one directory where Debian has several; in this order, the longest prefix first.
MOVED: Final[Mapping[str, str]] = {
    "usr/lib64": "usr/lib",
    "usr/sbin": "usr/bin",
    "lib64": "usr/lib",
    "sbin": "usr/bin",
    "bin": "usr/bin",
    "lib": "usr/lib",
}

# Documentation and what belongs to Debian's own administration.
LEFT_OUT: Final = (
    "etc/cron.",
    "etc/default/",
    "etc/init.d/",
    "etc/rc",
    "usr/share/bash-completion/",
    "usr/share/bug/",
    "usr/share/doc/",
    "usr/share/doc-base/",
    "usr/share/info/",
    "usr/share/lintian/",
    "usr/share/locale/",
    "usr/share/man/",
    "usr/share/menu/",
    "usr/share/zsh/",
    "var/cache/pacman/pkg/",
)

# Arch's numbers of the groups that Debian's packages give files to; it has no group `shadow`, and setuid instead.
GROUPS: Final[Mapping[str, int]] = {"root": 0, "tty": 5, "mail": 12, "shadow": 0, "utmp": 997}
