"""What is made equal in every image, so that no definition has to care for it.

What mkosi leaves to the file system that it builds on: a directory lists its names in another order on ext4, where
that is random, than on tmpfs or on an overlay, and mkosi packs them as they come. A file system mounted with noatime
leaves the times of unpacking, another one those of reading; mkfs.ext4 clamps down to the epoch what is younger, but
takes over what is older.

And what pacman and its kin leave in an image of Arch, see _ARCH.
"""

from pathlib import Path
from typing import Final

DIRECTORY: Final = "normal"
# Where mkosi looks for programs first, and the script that it runs after all others.
PROGRAMS: Final = f"{DIRECTORY}/programs"
FINALIZE: Final = f"{DIRECTORY}/finalize"

# pacman's dates (7.1 does not know SOURCE_DATE_EPOCH either) and those of its log become the epoch: both files are
# worth keeping. ldconfig's auxiliary cache, by inodes and change times of the build, fits no image; ldconfig does
# without. A keyring with its secret key is random, and whoever has the image could sign packages for every machine that
# boots it. Arch's own images have each machine make its own; a keyring without the secret key is left alone.
_ARCH: Final = """\
    rm -f "$BUILDROOT/var/cache/ldconfig/aux-cache"
    if [ -n "${SOURCE_DATE_EPOCH-}" ] && [ -d "$BUILDROOT/var/lib/pacman/local" ]; then
        find "$BUILDROOT/var/lib/pacman/local" -mindepth 2 -maxdepth 2 -type f -name desc \\
            -exec sed -i "/^%INSTALLDATE%\\$/{n;s/^[0-9][0-9]*\\$/$SOURCE_DATE_EPOCH/}" {} +
    fi
    log="$BUILDROOT/var/log/pacman.log"
    if [ -n "${SOURCE_DATE_EPOCH-}" ] && [ -f "$log" ] && [ ! -L "$log" ]; then
        date="$(date --utc --date="@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%S+0000)"
        sed -i -E "s/^\\[[0-9]{4}-[0-9]{2}-[0-9]{2}[^]]*\\]/[$date]/" "$log"
    fi
    keyring="$BUILDROOT/etc/pacman.d/gnupg"
    if [ -n "$(find "$keyring/private-keys-v1.d" -name '*.key' 2> /dev/null)" ]; then
        find "$keyring" -mindepth 1 -delete
        echo "/etc/pacman.d/gnupg was emptied: all machines would share its secret key." \\
            "Let a unit run pacman-key --init and pacman-key --populate at the first boot, as in examples/arch."
    fi
"""

_FILES: Final = {
    f"{PROGRAMS}/tar": """\
#!/bin/sh
options=--sort=name
read -r _ _ ids < /proc/self/uid_map
test "$ids" != 1 || options="$options --no-same-owner"
TAR_OPTIONS="$options ${TAR_OPTIONS-}" exec /usr/bin/tar "$@"
""",
    FINALIZE: """\
#!/bin/sh
set -eu
if [ "${DISTRIBUTION-}" = arch ]; then
{arch}fi
if [ -n "${SOURCE_DATE_EPOCH-}" ]; then
    find "$BUILDROOT" -xdev -exec touch --no-dereference -a --date="@$SOURCE_DATE_EPOCH" {} +
fi
""".replace("{arch}", _ARCH),
}


def write(place: Path) -> None:
    """Write the programs into PLACE, which appears in the build."""
    for name, text in _FILES.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    for directory in (place / DIRECTORY, place / PROGRAMS):
        directory.chmod(0o755)
