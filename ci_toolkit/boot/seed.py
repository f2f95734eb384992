"""The seed of cloud-init's data source NoCloud: a directory that QEMU shows to the guest as a disk."""

import hashlib
import os
from pathlib import Path
from typing import Final

from ci_toolkit.errors import UsageError

# More is no user data; clouds take 16 to 64 KiB.
USER_DATA_MAX: Final = 1 << 20
# FAT's times begin in 1980.
_EPOCH: Final = 315_532_800


def read(path: Path) -> bytes:
    """Return the user data in PATH. Raises UsageError for what cannot be read, or is too much."""
    try:
        with path.open("rb") as file:
            content = file.read(USER_DATA_MAX + 1)
    except OSError as error:
        raise UsageError(f"the user data {path} cannot be read: {error.strerror}", hint="Name a file.") from error
    if len(content) > USER_DATA_MAX:
        raise UsageError(f"the user data {path} has more than {USER_DATA_MAX >> 20} MiB")
    return content


def write(directory: Path, user_data: bytes, *, epoch: int = _EPOCH) -> None:
    """Make the seed in DIRECTORY, which is made: the same user data gives the same names, contents and times.

    The instance id follows from the user data, so that another one is a new instance to cloud-init.
    """
    directory.mkdir()
    instance = hashlib.sha256(user_data).hexdigest()[:16]
    meta = f"instance-id: ci-toolkit-{instance}\nlocal-hostname: ci-toolkit\n".encode()
    for name, content in (("meta-data", meta), ("user-data", user_data)):
        (directory / name).write_bytes(content)
        os.utime(directory / name, (epoch, epoch))
