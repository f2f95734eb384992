"""Files by which Arch's packages run otherwise than Debian's: PAM, SSH, cloud-init, hooks of kernel and systemd."""

from collections.abc import Mapping
from typing import Final

from tests.arch.archive import Member, Package, directory, link, text

_SYSTEM_AUTH: Final = """\
auth required pam_unix.so try_first_pass nullok
account required pam_unix.so
password required pam_unix.so try_first_pass nullok shadow
session required pam_limits.so
session required pam_unix.so
"""
_SYSTEM_LOGIN: Final = """\
auth requisite pam_nologin.so
auth include system-auth
account required pam_nologin.so
account include system-auth
password include system-auth
session optional pam_loginuid.so
session optional pam_keyinit.so force revoke
session include system-auth
session optional pam_systemd.so
session required pam_env.so
"""


# root becomes anybody without a password.
_SU: Final = ("su", "su-l")


def _including(name: str) -> str:
    return "".join(f"{kind} include {name}\n" for kind in ("auth", "account", "password", "session"))


PAMBASE: Final[tuple[Member, ...]] = (
    directory("etc"),
    directory("etc/pam.d"),
    text("etc/pam.d/system-auth", _SYSTEM_AUTH),
    text("etc/pam.d/system-login", _SYSTEM_LOGIN),
    text("etc/pam.d/system-local-login", _including("system-login")),
    text("etc/pam.d/system-remote-login", _including("system-login")),
    text("etc/pam.d/system-services", _including("system-auth")),
    # For programs of Debian's that include these.
    *(
        text(f"etc/pam.d/common-{name}", "".join(f"{kind} include system-auth\n" for kind in kinds))
        for name, kinds in (
            ("account", ("account",)),
            ("auth", ("auth",)),
            ("password", ("password",)),
            ("session", ("session",)),
            ("session-noninteractive", ("session",)),
        )
    ),
)

_SSHD_CONFIG: Final = """\
Include /etc/ssh/sshd_config.d/*.conf
AuthorizedKeysFile .ssh/authorized_keys
KbdInteractiveAuthentication no
UsePAM yes
PrintMotd no
Subsystem sftp internal-sftp
"""
_SSHD: Final = """\
[Unit]
Description=OpenSSH Daemon
Wants=sshdgenkeys.service
After=sshdgenkeys.service
After=network.target

[Service]
Type=notify-reload
ExecStart=/usr/bin/sshd -D
RuntimeDirectory=sshd
KillMode=process
Restart=always

[Install]
WantedBy=multi-user.target
"""
_SSHDGENKEYS: Final = """\
[Unit]
Description=SSH Key Generation
ConditionPathExists=|!/etc/ssh/ssh_host_ed25519_key
ConditionPathExists=|!/etc/ssh/ssh_host_rsa_key

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -A
"""
_CLOUD_CFG: Final = """\
users:
  - default
disable_root: true
ssh_pwauth: false
preserve_hostname: false
cloud_init_modules: [seed_random, bootcmd, write_files, growpart, resizefs, disk_setup, mounts, set_hostname, \
update_hostname, update_etc_hosts, users_groups, ssh]
cloud_config_modules: [ssh_import_id, keyboard, set_passwords, ntp, timezone, runcmd]
cloud_final_modules: [package_update_upgrade_install, write_files_deferred, scripts_vendor, scripts_per_once, \
scripts_per_boot, scripts_per_instance, scripts_user, ssh_authkey_fingerprints, keys_to_console, phone_home, \
final_message, power_state_change]
system_info:
  distro: arch
  default_user:
    name: arch
    lock_passwd: true
    gecos: arch Cloud User
    groups: [wheel, users]
    sudo: ["ALL=(ALL) NOPASSWD:ALL"]
    shell: /bin/bash
  paths: {cloud_dir: /var/lib/cloud/, templates_dir: /etc/cloud/templates/}
  ssh_svcname: sshd
"""
_DEPMOD: Final = """\
#!/bin/sh
for place in /usr/lib/modules/*/; do
    place="${place%/}"
    test ! -e "$place/pkgbase" || depmod "${place##*/}"
done
"""


def hook(name: str, targets: str, description: str, command: str) -> Member:
    """Return libalpm's hook that runs COMMAND after files that match TARGETS were installed."""
    trigger = f"[Trigger]\nType = Path\nOperation = Install\nOperation = Upgrade\nTarget = {targets}\n"
    action = f"[Action]\nDescription = {description}\nWhen = PostTransaction\nExec = {command}\n"
    return text(f"usr/share/libalpm/hooks/{name}.hook", f"{trigger}\n{action}")


# What the packages carry besides Debian's files, or instead of them.
ADDED: Final[Mapping[str, tuple[Member, ...]]] = {
    "cloud-init": (text("etc/cloud/cloud.cfg", _CLOUD_CFG),),
    "kmod": (
        *(directory(path) for path in ("usr/share", "usr/share/libalpm", "usr/share/libalpm/scripts")),
        text("usr/share/libalpm/scripts/depmod", _DEPMOD, mode=0o755),
        hook(
            "60-depmod",
            "usr/lib/modules/*/pkgbase",
            "Updating module dependencies...",
            "/usr/share/libalpm/scripts/depmod",
        ),
    ),
    "openbsd-netcat": (link("usr/bin/nc", "nc.openbsd"),),
    "openssh": (
        text("etc/pam.d/sshd", _including("system-remote-login")),
        text("etc/ssh/sshd_config", _SSHD_CONFIG),
        text("usr/lib/sysusers.d/openssh-server.conf", 'u sshd - "sshd user" /run/sshd\n'),
        text("usr/lib/systemd/system/sshd.service", _SSHD),
        text("usr/lib/systemd/system/sshdgenkeys.service", _SSHDGENKEYS),
    ),
    "sudo": (
        text("etc/pam.d/sudo", _including("system-auth")),
        text("etc/pam.d/sudo-i", _including("system-auth")),
    ),
    "systemd": (
        hook("20-systemd-sysusers", "usr/lib/sysusers.d/*.conf", "Creating accounts...", "/usr/bin/systemd-sysusers"),
        hook(
            "30-systemd-tmpfiles",
            "usr/lib/tmpfiles.d/*.conf",
            "Creating temporary files...",
            "/usr/bin/systemd-tmpfiles --create",
        ),
        hook(
            "30-systemd-catalog",
            "usr/lib/systemd/catalog/*",
            "Updating the journal's messages...",
            "/usr/bin/journalctl --update-catalog",
        ),
        text("usr/lib/systemd/system-preset/99-default.preset", "disable *\n"),
    ),
    "util-linux": (
        text("etc/pam.d/login", _including("system-local-login")),
        *(text(f"etc/pam.d/{name}", f"auth sufficient pam_rootok.so\n{_including('system-auth')}") for name in _SU),
    ),
}

_VBOXSERVICE: Final = """\
[Unit]
Description=Stand-in of VirtualBox's guest services
ConditionVirtualization=oracle

[Service]
Type=oneshot
ExecStart=/usr/bin/true

[Install]
WantedBy=multi-user.target
"""

# What Debian has no package of: for an image to be built, the name is enough.
STAND_INS: Final = (
    Package(
        name="gitlab-runner",
        version="18.0.0-1",
        description="Stand-in of GitLab's runner",
        depends=("git",),
        members=(
            *(directory(path) for path in ("usr", "usr/bin")),
            text("usr/bin/gitlab-runner", "#!/bin/sh\necho 'stand-in of gitlab-runner'\n", mode=0o755),
        ),
    ),
    Package(
        name="virtualbox-guest-utils-nox",
        version="7.2.0-1",
        description="Stand-in of VirtualBox's guest services",
        depends=("systemd",),
        members=(
            *(directory(path) for path in ("usr", "usr/lib", "usr/lib/systemd", "usr/lib/systemd/system")),
            text("usr/lib/systemd/system/vboxservice.service", _VBOXSERVICE),
        ),
    ),
)
