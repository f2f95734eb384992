"""Files of the packages that only Arch has, as far as images depend on them: owners, modes, hooks, scriptlets."""

from collections.abc import Mapping
from typing import Final

from tests.arch import services
from tests.arch.archive import Member, directory, link, text

_PASSWD: Final = """\
root:x:0:0::/root:/usr/bin/bash
bin:x:1:1::/:/usr/bin/nologin
daemon:x:2:2::/:/usr/bin/nologin
mail:x:8:12::/var/spool/mail:/usr/bin/nologin
ftp:x:14:11::/srv/ftp:/usr/bin/nologin
http:x:33:33::/srv/http:/usr/bin/nologin
nobody:x:65534:65534:Nobody:/:/usr/bin/nologin
"""
_GROUPS: Final[Mapping[str, int]] = {
    "root": 0,
    "bin": 1,
    "daemon": 2,
    "sys": 3,
    "tty": 5,
    "mem": 8,
    "ftp": 11,
    "mail": 12,
    "log": 19,
    "proc": 26,
    "http": 33,
    "games": 50,
    "network": 90,
    "power": 98,
    "users": 984,
    "utmp": 997,
    "wheel": 998,
    "adm": 999,
    "nobody": 65534,
}
_NAMES: Final = tuple(line.split(":", 1)[0] for line in _PASSWD.splitlines())
_SHADOW: Final = "".join(f"{name}:{'' if name == 'root' else '!*'}:14871::::::\n" for name in _NAMES)

_PLAIN: Final = (
    "boot", "dev", "etc", "etc/ld.so.conf.d", "etc/profile.d", "etc/skel", "home", "mnt", "opt", "run", "srv", "usr",
    "usr/bin", "usr/include", "usr/lib", "usr/local", "usr/local/bin", "usr/local/lib", "usr/share", "usr/share/misc",
    "usr/src", "var", "var/cache", "var/empty", "var/lib", "var/lib/misc", "var/local", "var/log", "var/log/old",
    "var/opt", "var/spool",
)  # fmt: skip

FILESYSTEM: Final[tuple[Member, ...]] = (
    *(directory(path) for path in _PLAIN),
    directory("proc", mode=0o555),
    directory("sys", mode=0o555),
    directory("root", mode=0o750),
    directory("srv/ftp", mode=0o555, gid=11),
    directory("srv/http"),
    directory("tmp", mode=0o1777),
    directory("var/games", mode=0o775, gid=50),
    directory("var/spool/mail", mode=0o1777),
    directory("var/tmp", mode=0o1777),
    link("bin", "usr/bin"),
    link("lib", "usr/lib"),
    link("lib64", "usr/lib"),
    link("sbin", "usr/bin"),
    link("usr/lib64", "lib"),
    link("usr/sbin", "bin"),
    link("etc/mtab", "../proc/self/mounts"),
    link("etc/os-release", "../usr/lib/os-release"),
    link("var/lock", "../run/lock"),
    link("var/mail", "spool/mail"),
    link("var/run", "../run"),
    text("etc/arch-release", ""),
    text("etc/passwd", _PASSWD),
    text("etc/group", "".join(f"{name}:x:{gid}:{'root' if name == 'root' else ''}\n" for name, gid in _GROUPS.items())),
    text("etc/shadow", _SHADOW, mode=0o600),
    text("etc/gshadow", "".join(f"{name}:!*::\n" for name in _GROUPS), mode=0o600),
    text("etc/fstab", "# Static information about the file systems.\n"),
    text("etc/host.conf", "multi on\n"),
    text("etc/nsswitch.conf", "passwd: files systemd\ngroup: files systemd\nshadow: files systemd\nhosts: files dns\n"),
    text("etc/profile", "umask 022\nexport PATH=/usr/local/sbin:/usr/local/bin:/usr/bin\n"),
    text("etc/shells", "/bin/sh\n/bin/bash\n/usr/bin/bash\n"),
    text(
        "usr/lib/os-release",
        'NAME="Arch Linux"\nPRETTY_NAME="Arch Linux"\nID=arch\nBUILD_ID=rolling\nHOME_URL="https://archlinux.org/"\n',
    ),
    text("usr/lib/sysusers.d/arch.conf", "g log 19 -\ng power 98 -\nu ftp 14:11 - /srv/ftp\nu uuidd - - /\n"),
    text("usr/lib/tmpfiles.d/arch.conf", "d /srv/ftp 0555 root ftp -\nz /var/games 0775 root games -\n"),
)
# Where accounts are added to; pacman then knows them as configuration.
EDITED: Final = ("etc/group", "etc/gshadow", "etc/passwd", "etc/shadow")


# Packages without a counterpart in Debian, and what others carry besides Debian's files.
ADDED: Final[Mapping[str, tuple[Member, ...]]] = {
    **services.ADDED,
    "bash": (link("usr/bin/sh", "bash"),),
    "gawk": (link("usr/bin/awk", "gawk"),),
    # Debian's pacman-key looks for keyrings where Debian has them.
    "pacman": (link("usr/share/keyrings", "pacman/keyrings"),),
}

SCRIPTLETS: Final[Mapping[str, str]] = {
    "systemd": "post_install() {\n  systemd-machine-id-setup\n  systemctl enable getty@tty1.service\n}\n",
    "archlinux-keyring": "post_upgrade() {\n  if usr/bin/pacman-key -l > /dev/null 2>&1; then\n"
    "    usr/bin/pacman-key --populate archlinux\n  fi\n}\n",
}

DEPENDS: Final[Mapping[str, tuple[str, ...]]] = {
    "archlinux-keyring": ("pacman",),
    "linux": ("coreutils", "initramfs", "kmod"),
    "pacman": ("gnupg", "gawk", "sed", "grep"),
    "pam": ("pambase",),
    "systemd": ("libseccomp",),
    "systemd-sysvcompat": ("systemd",),
}

# What is asked for by another name: mkosi wants an initrd to have `udev`.
PROVIDES: Final[Mapping[str, tuple[str, ...]]] = {"systemd": ("udev",)}
