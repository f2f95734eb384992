"""Try what a build asks of the kernel; run as a program of its own, it writes one line of JSON for each trial.

    python -m ci_toolkit.host.trials DIRECTORY

Every trial is a forked child with a time limit, in namespaces that end with it: a crash, a hang, or a seccomp filter
that kills is that trial's answer, and nothing is left behind.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from ctypes import c_void_p
from errno import EBADF, EFAULT, EINVAL
from functools import partial
from pathlib import Path
from typing import Final

from ci_toolkit.host import syscalls
from ci_toolkit.host.namespaces import write_id_maps, write_single_id_map
from ci_toolkit.host.syscalls import CLONE_FS, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS, MS_BIND, MS_REC

# Debian's group shadow: a package's file belongs to it, and a namespace with one id cannot give it away.
SHADOW_GROUP: Final = 42

# The first id that VARIED gives a build.
SHIFTED: Final = 100_000

_TRIAL_SECONDS: Final = 4
_NAMESPACE_SECONDS: Final = 20

# A refusal by a filter is told from one by the kernel with arguments that the kernel answers, to anybody, with an
# error of its own, and with which the call can do nothing. Name -> the call, and the kernel's answer.
_BAD_ADDRESS: Final = c_void_p(1)
_BAD_FLAG: Final = 0x4000_0000
FILTERED_CALLS: Final[Mapping[str, tuple[Callable[[], object], int]]] = {
    "unshare": (partial(syscalls.unshare, 1), EINVAL),
    "clone": (partial(syscalls.raw_clone, CLONE_NEWUSER | CLONE_FS), EINVAL),
    "clone3": (partial(syscalls.numbered, syscalls.CLONE3, 0, 0), EINVAL),
    "setns": (partial(syscalls.named, "setns", -1, 0), EBADF),
    "mount": (partial(syscalls.named, "mount", _BAD_ADDRESS, _BAD_ADDRESS, _BAD_ADDRESS, 0, None), EFAULT),
    "umount2": (partial(syscalls.named, "umount2", _BAD_ADDRESS, _BAD_FLAG), EINVAL),
    "chroot": (partial(syscalls.named, "chroot", _BAD_ADDRESS), EFAULT),
    "open_tree": (partial(syscalls.open_tree, "/", _BAD_FLAG), EINVAL),
    "mount_setattr": (partial(syscalls.numbered, syscalls.MOUNT_SETATTR, -1, b"", _BAD_FLAG, 0, 0), EINVAL),
}


def main(arguments: list[str]) -> int:
    """Make every trial and report it; the workspace is the directory in ARGUMENTS."""
    for name, (call, expected) in FILTERED_CALLS.items():
        report(f"call:{name}", attempt(partial(_expect, call, expected)))
    single = attempt(partial(enter, write_single_id_map))
    report("user-namespace-single", single)
    full = attempt(partial(_enter_full, 0))
    report("user-namespace-full", full)
    report("user-namespace-shifted", attempt(partial(_enter_full, SHIFTED)))
    untried = "not tried: no user namespace with all ids"
    report("workspace-owners", untried if full else attempt(partial(_own_in_workspace, arguments[0])))
    if full is None or single is None:
        write_maps = partial(write_id_maps, first_id=0) if full is None else write_single_id_map
        attempt(partial(_try_mounts, write_maps), seconds=_NAMESPACE_SECONDS)
    return 0


def report(name: str, refused: str | None) -> None:
    """Write one line at once: a child that is killed has no buffer to flush."""
    os.write(1, (json.dumps({"trial": name, "refused": refused}) + "\n").encode())


def attempt(work: Callable[[], object], *, seconds: int = _TRIAL_SECONDS) -> str | None:
    """Do WORK in a child and return None, or what went wrong, a signal that ended the child included."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        # The time limit is the kernel's: Python's own handlers do not run while a call hangs.
        signal.alarm(seconds)
        os.write(writing, _outcome(work).encode(errors="replace"))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8", errors="replace") as stream:
        answer = stream.read()
    _, status = os.waitpid(child, 0)
    return explain_signal(os.WTERMSIG(status), seconds) if os.WIFSIGNALED(status) else answer or None


def _outcome(work: Callable[[], object]) -> str:
    try:
        work()
    except OSError as error:
        return (error.strerror or str(error))[:1000]
    return ""


def explain_signal(number: int, seconds: int) -> str:
    """Return what it means that a trial was ended by the signal NUMBER."""
    if number == signal.SIGALRM:
        return f"no answer within {seconds} s"
    if number == signal.SIGSYS:
        return "a seccomp filter kills the caller"
    return f"the caller was ended by {signal.Signals(number).name}"


def _expect(call: Callable[[], object], expected: int) -> None:
    try:
        call()
    except OSError as error:
        if error.errno != expected:
            raise


def enter(write_maps: Callable[[int], str | None]) -> None:
    """Become root of new user, mount and UTS namespaces, with the ids that WRITE_MAPS grants; raises OSError.

    The maps are written by a child that stays outside, as only there its capabilities count.
    """
    ready, unshared = os.pipe()
    answer, mapped = os.pipe()
    caller = os.getpid()
    outside = os.fork()
    if outside == 0:
        os.close(unshared)
        if os.read(ready, 1):
            os.write(mapped, (write_maps(caller) or "").encode())
        os._exit(0)
    os.close(mapped)
    os.close(ready)
    try:
        syscalls.unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS)
    except OSError as error:
        raise OSError(f"unshare(CLONE_NEWUSER): {error.strerror}") from error
    os.write(unshared, b"x")
    with os.fdopen(answer, encoding="utf-8", errors="replace") as stream:
        refused = stream.read()
    os.waitpid(outside, 0)
    if refused:
        raise OSError(refused)
    _become_root()


def _become_root() -> None:
    """Turn into uid and gid 0; where setgroups was given up, the groups stay what they are."""
    if Path("/proc/self/setgroups").read_text(encoding="ascii").strip() == "allow":
        os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def _enter_full(first_id: int) -> None:
    enter(partial(write_id_maps, first_id=first_id))
    os.setresgid(SHADOW_GROUP, SHADOW_GROUP, 0)


def _own_in_workspace(directory: str) -> None:
    """Give an unnamed file in DIRECTORY to the group shadow: network and shared file systems may refuse."""
    enter(partial(write_id_maps, first_id=0))
    what = f"a file for group {SHADOW_GROUP} in {directory}"
    descriptor = _value(what, lambda: os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o600))
    _blame(what, lambda: os.fchown(descriptor, 0, SHADOW_GROUP))


def _try_mounts(write_maps: Callable[[int], str | None]) -> None:
    enter(write_maps)
    for name, work in MOUNTS.items():
        report(name, attempt(partial(_in_fresh_tmp, work)))


def _in_fresh_tmp(work: Callable[[Path], None]) -> None:
    """Start as mkosi's sandbox does: a tmpfs over /tmp in a mount namespace of its own."""
    syscalls.unshare(CLONE_NEWNS)
    _blame("mount tmpfs", lambda: syscalls.mount("tmpfs", "/tmp", "tmpfs"))
    work(Path("/tmp"))


def _blame(what: str, call: Callable[[], object]) -> None:
    try:
        call()
    except OSError as error:
        raise OSError(f"{what}: {error.strerror}") from error


def _tmpfs(place: Path) -> None:
    (place / "file").write_bytes(b"")


def _proc(place: Path) -> None:
    (place / "proc").mkdir()
    _blame("bind /proc", lambda: syscalls.mount("/proc", f"{place}/proc", None, MS_BIND | MS_REC))
    (place / "proc/self/status").stat()


def _devpts(place: Path) -> None:
    (place / "pts").mkdir()
    options = "newinstance,ptmxmode=0666,mode=620"
    _blame("mount devpts", lambda: syscalls.mount("devpts", f"{place}/pts", "devpts", 0, options))
    os.close(os.open(place / "pts/ptmx", os.O_RDWR | os.O_NOCTTY))


def _overlay(place: Path) -> None:
    for name in ("lower", "upper", "work", "merged"):
        (place / name).mkdir()
    (place / "lower/file").write_bytes(b"below")
    options = f"lowerdir={place}/lower,upperdir={place}/upper,workdir={place}/work,userxattr,index=off,metacopy=off"
    _blame("mount overlay", lambda: syscalls.mount("overlayfs", f"{place}/merged", "overlay", 0, options))
    (place / "merged/file").write_bytes(b"above")


def _mount_api(place: Path) -> None:
    (place / "root").mkdir()
    flags = syscalls.OPEN_TREE_CLONE | syscalls.AT_RECURSIVE
    tree = _value("open_tree", partial(syscalls.open_tree, "/", flags))
    _blame("mount_setattr", partial(syscalls.make_read_only, tree))
    _blame("move_mount", partial(syscalls.move_mount, tree, f"{place}/root"))
    (place / "root/proc").stat()


def _value(what: str, call: Callable[[], int]) -> int:
    values: list[int] = []
    _blame(what, lambda: values.append(call()))
    return values[0]


def _pivot_root(place: Path) -> None:
    (place / "old").mkdir()
    os.chdir(place)
    _blame("pivot_root", lambda: syscalls.pivot_root(".", "old"))
    _blame("umount2", lambda: syscalls.unmount("/old", syscalls.MNT_DETACH))


def _host_name(place: Path) -> None:
    _blame("sethostname", lambda: syscalls.set_host_name("image-builder"))


def _owner(place: Path) -> None:
    (place / "file").write_bytes(b"")
    _blame(f"chown to group {SHADOW_GROUP}", lambda: os.chown(place / "file", 0, SHADOW_GROUP))


def _fresh_proc(place: Path) -> None:
    """A new procfs belongs to a new PID namespace, whose first process mounts it."""
    syscalls.unshare(CLONE_NEWPID)
    refused = attempt(partial(syscalls.mount, "proc", "/proc", "proc"))
    if refused:
        raise OSError(f"mount proc: {refused}")


# What mkosi's sandbox and our launcher do, in that order; each starts in a mount namespace of its own.
MOUNTS: Final[Mapping[str, Callable[[Path], None]]] = {
    "mount-tmpfs": _tmpfs,
    "mount-proc": _proc,
    "mount-devpts": _devpts,
    "mount-overlay": _overlay,
    "mount-api": _mount_api,
    "pivot-root": _pivot_root,
    "host-name": _host_name,
    "owners": _owner,
    "fresh-proc": _fresh_proc,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
