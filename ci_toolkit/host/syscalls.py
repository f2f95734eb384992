"""The system calls that a build's sandbox makes and Python has no name for; each raises OSError."""

import ctypes
import os
from typing import Final

CLONE_FS: Final = 0x00000200
CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUTS: Final = 0x04000000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWPID: Final = 0x20000000

MS_BIND: Final = 0x1000
MS_REC: Final = 0x4000
MS_SLAVE: Final = 0x80000
MNT_DETACH: Final = 2

AT_FDCWD: Final = -100
AT_EMPTY_PATH: Final = 0x1000
AT_RECURSIVE: Final = 0x8000
OPEN_TREE_CLONE: Final = 1
MOVE_MOUNT_F_EMPTY_PATH: Final = 4
MOUNT_ATTR_RDONLY: Final = 1

# The calls since Linux 5.1 have one number on every architecture; C libraries learnt their names late.
OPEN_TREE: Final = 428
MOVE_MOUNT: Final = 429
CLONE3: Final = 435
MOUNT_SETATTR: Final = 442

# clone is older than that; the numbers of asm/unistd.h for the architectures that CI systems offer.
CLONE: Final = {"x86_64": 56, "aarch64": 220, "riscv64": 220, "ppc64le": 120}

_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class MountAttributes(ctypes.Structure):
    """struct mount_attr of linux/mount.h."""

    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def unshare(flags: int) -> None:
    _checked(_LIBC.unshare(flags))


def mount(source: str, target: str, kind: str | None, flags: int = 0, options: str | None = None) -> None:
    _checked(
        _LIBC.mount(
            os.fsencode(source),
            os.fsencode(target),
            None if kind is None else os.fsencode(kind),
            ctypes.c_ulong(flags),
            None if options is None else os.fsencode(options),
        )
    )


def unmount(target: str, flags: int) -> None:
    _checked(_LIBC.umount2(os.fsencode(target), flags))


def pivot_root(new: str, old: str) -> None:
    _checked(_LIBC.pivot_root(os.fsencode(new), os.fsencode(old)))


def set_host_name(name: str) -> None:
    _checked(_LIBC.sethostname(os.fsencode(name), len(os.fsencode(name))))


def open_tree(path: str, flags: int) -> int:
    return numbered(OPEN_TREE, AT_FDCWD, os.fsencode(path), flags)


def make_read_only(tree: int) -> None:
    """Make the detached mounts TREE, a descriptor of open_tree, read-only at every depth, with mount_setattr."""
    attributes = MountAttributes(attr_set=MOUNT_ATTR_RDONLY)
    size = ctypes.sizeof(attributes)
    numbered(MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH | AT_RECURSIVE, ctypes.byref(attributes), size)


def move_mount(descriptor: int, target: str) -> None:
    numbered(MOVE_MOUNT, descriptor, b"", AT_FDCWD, os.fsencode(target), MOVE_MOUNT_F_EMPTY_PATH)


def named(name: str, *arguments: object) -> int:
    """Make the call that the C library knows as NAME."""
    return _checked(getattr(_LIBC, name)(*arguments))


def numbered(number: int, *arguments: object) -> int:
    """Make the call NUMBER; whole numbers are passed as C longs."""
    _LIBC.syscall.restype = ctypes.c_long
    wide = (ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments)
    return _checked(_LIBC.syscall(ctypes.c_long(number), *wide))


def raw_clone(flags: int) -> None:
    """Call clone with FLAGS that the kernel refuses; a call that went through would leave two of us."""
    number = CLONE.get(os.uname().machine)
    if number is not None:
        numbered(number, flags, 0, 0, 0, 0)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(result)
