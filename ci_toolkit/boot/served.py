"""Answers one request of HTTP on its standard streams: QEMU starts it for each connection of the guest.

It runs beside QEMU, which may be in a container, with nothing but Python's own library: served.py DIRECTORY SCRIPT. It
gives away the four files of a netboot directory, and SCRIPT under its name; nothing else.
"""

import os
import shutil
import stat
import sys
from pathlib import Path
from typing import BinaryIO, Final

NAMES: Final = ("vmlinuz", "initrd", "root.tar.gz", "boot.ipxe")
_LINE_MAX: Final = 8192
_LINES_MAX: Final = 100


def answer(asked: BinaryIO, told: BinaryIO, directory: str, script: str) -> None:
    """Read a request from ASKED and write the answer to TOLD."""
    words = asked.readline(_LINE_MAX).decode("ascii", "replace").split()
    for _ in range(_LINES_MAX):
        if not asked.readline(_LINE_MAX).strip():
            break
    method, path = (words[0], words[1]) if len(words) == 3 else ("", "")
    name = path.partition("?")[0].removeprefix("/")
    place = {Path(script).name: Path(script)} | {one: Path(directory) / one for one in NAMES}
    if method not in ("GET", "HEAD"):
        _head(told, "501 Not Implemented", 0)
        return
    try:
        # A link may lead to any file of this machine.
        fd = os.open(place[name], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (KeyError, OSError):
        _head(told, "404 Not Found", 0)
        return
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            _head(told, "404 Not Found", 0)
            return
        _head(told, "200 OK", found.st_size)
        if method == "GET":
            shutil.copyfileobj(file, told, 1 << 20)


def _head(told: BinaryIO, status: str, size: int) -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    told.write(head.encode("ascii"))


if __name__ == "__main__":
    try:
        answer(sys.stdin.buffer, sys.stdout.buffer, *sys.argv[1:])
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # the guest has heard enough
        os._exit(0)
