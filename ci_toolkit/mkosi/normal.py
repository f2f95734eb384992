"""What mkosi leaves to the file system that it builds on: the order of an archive's members, access times.

A directory lists its names in another order on ext4, where that is random, than on tmpfs or on an overlay, and mkosi
packs them as they come. A file system mounted with noatime leaves the times of unpacking, another one those of
reading; mkfs.ext4 clamps down to the epoch what is younger, but takes over what is older.
"""

from pathlib import Path
from typing import Final

DIRECTORY: Final = "normal"
# Where mkosi looks for programs first, and the script that it runs after all others.
PROGRAMS: Final = f"{DIRECTORY}/programs"
FINALIZE: Final = f"{DIRECTORY}/finalize"

_FILES: Final = {
    f"{PROGRAMS}/tar": """\
#!/bin/sh
TAR_OPTIONS="--sort=name ${TAR_OPTIONS-}" exec /usr/bin/tar "$@"
""",
    FINALIZE: """\
#!/bin/sh
set -eu
if [ -n "${SOURCE_DATE_EPOCH-}" ]; then
    find "$BUILDROOT" -xdev -exec touch --no-dereference -a --date="@$SOURCE_DATE_EPOCH" {} +
fi
""",
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
