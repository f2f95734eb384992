"""What each image of examples/arch is asked when it is up: scripts for `ci-toolkit boot --check`."""

from typing import Final

_HEAD: Final = "#!/bin/sh\nset -eux\nsystemctl --failed --no-legend --plain\ndf -h /\n"
_SSHD: Final = "systemctl is-active sshd.service\n"
# The root has grown into the room behind it, and there is the swap file; it may be made after the login prompt.
_GROWN: Final = """\
test "$(df --output=size --block-size=1M / | tail -n 1)" -gt "$1"
waited=0
until [ "$(systemctl is-active swap-file.service)" = active ]; do
    test "$waited" -lt 300
    waited=$((waited + 5)); sleep 5
done
swapon --show
test "$(swapon --show=NAME --noheadings)" = /swap/swapfile
"""


def _grown(mebibytes: int) -> str:
    return f"set -- {mebibytes}\n{_GROWN}"


USER_DATA: Final = """\
#cloud-config
hostname: seeded
ssh_authorized_keys:
  - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f seed
write_files:
  - path: /etc/seeded
    content: "yes"
"""
CLOUD: Final = f"""\
{_HEAD}
cloud-init status --wait --long || test $? -eq 2
test -e /etc/seeded
test "$(cat /etc/hostname)" = seeded
test "$(stat -c %U:%a /home/arch/.ssh/authorized_keys)" = arch:600
grep -q ttyS0 /proc/cmdline
{_grown(2000)}{_SSHD}"""
BASIC: Final = f"""\
{_HEAD}
test "$(id -un 1000)" = arch
su - arch -c 'sudo -n id -u' | grep -qx 0
{_grown(35000)}{_SSHD}"""
BTRFS: Final = f"""\
{BASIC}
test "$(findmnt -n -o FSTYPE /)" = btrfs
btrfs subvolume show /swap
lsattr -d /swap/swapfile | cut -d' ' -f1 | grep -q C
"""
VAGRANT: Final = f"""\
{_HEAD}
test "$(stat -c %U:%G:%a /home/vagrant/.ssh)" = vagrant:vagrant:700
test "$(stat -c %U:%G:%a /home/vagrant/.ssh/authorized_keys)" = vagrant:vagrant:600
su - vagrant -c 'sudo -n id -u' | grep -qx 0
{_grown(2000)}{_SSHD}"""
EXECUTOR: Final = f"""\
{_HEAD}
git --version
gitlab-runner
{_SSHD}"""
ISO: Final = f"""\
{_HEAD}
findmnt /
test "$(findmnt -n -o FSTYPE /)" = overlay
touch /etc/written
{_SSHD}"""
# The root was unpacked into memory, and the disk that it is from is not there.
NETBOOT: Final = f"""\
{_HEAD}
grep -q root=bind: /proc/cmdline
test "$(findmnt -n -o FSTYPE /)" = tmpfs
test -z "$(lsblk --noheadings --nodeps --output NAME | grep -E '^(sd|vd)' || true)"
"""
