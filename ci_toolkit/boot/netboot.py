"""A netboot directory: kernel, initrd, root and script, which iPXE fetches over HTTP.

No port of this machine is opened: the guest's connections to one address of QEMU's own network go to a program each
(guestfwd), here as in a container.
"""

import os
import shlex
from importlib.resources import files
from pathlib import Path
from typing import Final

from ci_toolkit.boot.guest import words
from ci_toolkit.boot.machine import Net
from ci_toolkit.boot.served import NAMES
from ci_toolkit.errors import UnreadableError

_ADDRESS: Final = "10.0.2.100"
_PORT: Final = 80
_BASE: Final = f"http://{_ADDRESS}/"
_SCRIPT: Final = "start.ipxe"
_SERVED: Final = "served.py"
# SeaBIOS, and iPXE through it, then speak on the serial console: the first port of a PC, as a number of 16 bits.
_CONSOLE: Final = (0x3F8).to_bytes(2, "little")

# The root lies in memory, below /run, of which systemd makes a fifth of it.
_SHARE: Final = 6
_BESIDES: Final = 1 << 30


def is_one(path: Path) -> bool:
    """Tell whether PATH is a netboot directory. Raises UnreadableError where one of its files is missing."""
    missing = [name for name in NAMES if not (path / name).is_file()]
    if "boot.ipxe" in missing:
        return False
    if missing and missing != ["root.tar.gz"]:
        raise UnreadableError(f"{path} is no whole netboot directory: {', '.join(missing)} is missing")
    return True


def memory(path: Path) -> int:
    """Return how many bytes of memory the guest needs besides, for the root of the netboot directory at PATH."""
    root = path / "root.tar.gz"
    if not root.is_file():
        return 0
    with root.open("rb") as file:
        file.seek(max(0, root.stat().st_size - 4))
        unpacked = int.from_bytes(file.read(4), "little")  # gzip tells it modulo 4 GiB (RFC 1952)
    return _BESIDES + _SHARE * unpacked


def net(path: Path, work: Path, *, python: str, emulated: bool) -> Net:
    """Return the network that gives a guest the netboot directory at PATH; its files go to WORK.

    PYTHON is the interpreter where QEMU runs.
    """
    served, script, console = work / _SERVED, work / _SCRIPT, work / "sercon"
    served.write_bytes((files("ci_toolkit.boot") / _SERVED).read_bytes())
    chained = f"#!ipxe\nset base {_BASE}\nset arguments {words(emulated=emulated)}\nchain ${{base}}boot.ipxe\n"
    script.write_text(chained, encoding="ascii")
    console.write_bytes(_CONSOLE)
    command = shlex.join((python, os.fspath(served), os.fspath(path.absolute()), os.fspath(script)))
    return Net(first=f"{_BASE}{_SCRIPT}", address=(_ADDRESS, _PORT), command=command, console=console)
