"""Every way to fail, with its exit code.

    ToolkitError
    ├── UsageError         2   the call or a setting is wrong
    ├── HostError          3   nothing on this machine can run the build
    ├── BuildError         4   mkosi or a script of the image failed
    ├── ForgeError         5   GitHub or GitLab refused, or publishing failed
    └── UnreadableError    6   an input could not be read

A verdict ("the images differ") is a result, never an exception: exit code 1 belongs to the fail policy.
"""

import errno
from enum import IntEnum
from typing import ClassVar, Final

# What an OSError says of a full disk.
FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class ExitCode(IntEnum):
    """The public contract of the command line."""

    FINE = 0
    POLICY = 1
    USAGE = 2
    HOST = 3
    BUILD = 4
    FORGE = 5
    UNREADABLE = 6
    INTERRUPTED = 130


class ToolkitError(Exception):
    """A failure with a message (what happened) and a hint (what to try next)."""

    exit_code: ClassVar[ExitCode] = ExitCode.HOST

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ToolkitError):
    """The call or a setting is wrong."""

    exit_code = ExitCode.USAGE


class HostError(ToolkitError):
    """Nothing on this machine can run the build; the message lists each runner's reasons."""

    exit_code = ExitCode.HOST


class BuildError(ToolkitError):
    """mkosi, or a script of the image, failed."""

    exit_code = ExitCode.BUILD


class ForgeError(ToolkitError):
    """The forge refused, or publishing failed."""

    exit_code = ExitCode.FORGE


class UnreadableError(ToolkitError):
    """An input could not be read."""

    exit_code = ExitCode.UNREADABLE
