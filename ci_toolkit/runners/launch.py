"""Start a program as root of a new user namespace with all its ids, or with one, in given surroundings.

    python -m ci_toolkit.runners.launch '{"first_id": 0, "hostname": "x", …}' -- mkosi build

mkosi run by a plain user maps one id and suppresses chown, and run as root it wants CAP_SYS_ADMIN. Here the child
unshares, the parent, which has CAP_SETUID and CAP_SETGID or may call newuidmap, writes the id maps, and the child
becomes uid 0 of its own namespace: every owner in the image is right and nothing on the host was privileged.

The parent stays, and sees to it that nothing stays after it: what the program started ends with the program, with a
signal to the parent, and with whoever called, however that ended.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NoReturn

from ci_toolkit.host.namespaces import write_id_maps, write_single_id_map
from ci_toolkit.runners import root

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUTS: Final = 0x04000000
CLONE_NEWUSER: Final = 0x10000000
PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36

# The exit code for "the namespace could not be made", apart from all that a build returns.
NOT_STARTED: Final = 125

# How often what a program left is asked to end, at what pauses, and from when on it is not asked. A program that was
# itself asked, and goes on, is not waited for longer than that.
_ATTEMPTS: Final = 120
_KILLED_FROM: Final = 60
_PAUSE_SECONDS: Final = 0.05
_PATIENCE_SECONDS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the child is given.

    `first_id` is the id outside that is root inside (None: the caller's, and there is no other), `cpus` how many
    processors it may use (None: all), `binds` directories and the paths under which they appear inside, in order,
    `directory` where the program starts. Of the rest of the machine it sees the system alone.
    """

    first_id: int | None
    hostname: str
    cpus: int | None
    umask: int
    binds: tuple[tuple[str, str], ...] = ()
    directory: str = "/"

    def argument(self) -> str:
        """Return the form in which `main` reads it."""
        return json.dumps(asdict(self))


def main(arguments: list[str]) -> int:
    """Run the command after "--" and return its exit code, 128 + N when signal N ended it."""
    surroundings = Surroundings(**json.loads(arguments[0]))
    argv = arguments[arguments.index("--") + 1 :]
    libc = ctypes.CDLL(None, use_errno=True)
    # Whose parent ends becomes our child, and we are told when ours ends.
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    ready, child_is_ready = os.pipe()
    mapped, ids_are_mapped = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ready)
        os.close(ids_are_mapped)
        _become(libc, surroundings, argv, child_is_ready, mapped)
    os.close(child_is_ready)
    os.close(mapped)
    # Whoever ends this program means the build.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: _forward(child, number))
    signal.signal(signal.SIGALRM, lambda *_: _lose_patience())
    if os.read(ready, 1):
        refused = _write_maps(child, surroundings.first_id)
        if refused is None:
            os.write(ids_are_mapped, b"x")
        else:
            _complain(f"the id maps were refused: {refused}")
    os.close(ids_are_mapped)
    status = _wait(child)
    signal.alarm(0)
    _end_others()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _write_maps(child: int, first_id: int | None) -> str | None:
    return write_single_id_map(child) if first_id is None else write_id_maps(child, first_id=first_id)


def _become(libc: ctypes.CDLL, surroundings: Surroundings, argv: list[str], ready: int, mapped: int) -> NoReturn:
    """In the child: make the namespaces, wait for the ids, and turn into the program."""
    try:
        _enter(libc, surroundings, ready, mapped)
    except OSError as error:
        _complain(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror))
        os._exit(NOT_STARTED)
    try:
        # The pipes are close-on-exec; the program is looked up in the PATH that it was given.
        os.execvp(argv[0], argv)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        _complain(f"{argv[0]}: {'not found' if missing else error.strerror}")
        os._exit(127 if missing else 126)
    finally:
        os._exit(NOT_STARTED)


def _enter(libc: ctypes.CDLL, surroundings: Surroundings, ready: int, mapped: int) -> None:
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS) != 0:
        raise OSError(ctypes.get_errno(), f"unshare was refused: {os.strerror(ctypes.get_errno())}")
    os.write(ready, b"x")
    if not os.read(mapped, 1):
        os._exit(NOT_STARTED)
    held = root.hold(surroundings.binds)
    if surroundings.first_id is not None:
        os.setgroups([])  # with one id, that is given up for good
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    root.change(libc, held)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # a change of ids takes it back
    socket.sethostname(surroundings.hostname)
    os.chdir(surroundings.directory)
    if surroundings.cpus is not None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: surroundings.cpus])
    os.umask(surroundings.umask)
    # Python ignores two of them, and whoever started us (nohup, a job in the background) may ignore more: a program
    # would go on ignoring what it was handed.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)


def _wait(child: int) -> int:
    """Wait for CHILD, and for whoever became our child meanwhile; return the status of CHILD."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == child:
            return status


def _forward(child: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, number)
    signal.alarm(_PATIENCE_SECONDS)


def _lose_patience() -> None:
    _send(signal.SIGKILL)
    signal.alarm(1)


def _end_others() -> None:
    """End what the program left, be it in a session of its own.

    More than once: a shell's child that has not become its program yet may lose a signal.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for attempt in range(_ATTEMPTS):
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:  # whose parent ended is our child, so that there is nobody
            return
        _send(signal.SIGTERM if attempt < _KILLED_FROM else signal.SIGKILL)
        time.sleep(_PAUSE_SECONDS)


def _send(number: int) -> None:
    """Send NUMBER to every living process that descends from us."""
    families = _families()
    found = list(families.get(os.getpid(), ()))
    for pid in found:
        found.extend(families.get(pid, ()))
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _families() -> dict[int, list[int]]:
    """Return the living children of each process."""
    found: dict[int, list[int]] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with contextlib.suppress(OSError):
                # After the name, which may hold anything: state, parent.
                text = (place / "stat").read_text(encoding="utf-8", errors="replace")
                state, parent = text.rpartition(")")[2].split()[:2]
                if state not in "ZX":
                    found.setdefault(int(parent), []).append(int(place.name))
    return found


def _complain(text: str) -> None:
    sys.stderr.write(f"ci-toolkit: {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
