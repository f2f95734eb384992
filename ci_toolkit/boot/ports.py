"""Which ports a guest listens on, from its kernel's own tables (proc_pid_net(5)), without a program in the image."""

import ipaddress
import re
from typing import Final

# The state of a socket (net/tcp_states.h): TCP that listens, UDP that is not connected.
_LISTENS: Final = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}
_ADDRESS: Final = re.compile(r"([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})")
# More than any image has; a table is foreign.
_MOST: Final = 1000


def listening(table: str, text: str) -> tuple[str, ...]:
    """Return the ports of TABLE ("tcp", "tcp6", "udp", "udp6") with its TEXT, as "tcp 0.0.0.0:22" and "tcp [::]:22"."""
    wanted = _LISTENS.get(table)
    found = []
    for line in text.splitlines()[1 : _MOST + 1]:
        columns = line.split()
        match = _ADDRESS.fullmatch(columns[1]) if len(columns) > 3 and columns[3] == wanted else None
        if match is not None:
            found.append(f"{table[:3]} {_address(match[1])}:{int(match[2], 16)}")
    return tuple(dict.fromkeys(found))


def _address(text: str) -> str:
    """The kernel prints the address by words of 32 bits, each in the byte order of its machine: a PC's."""
    raw = b"".join(bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8))
    address = ipaddress.ip_address(raw)
    return f"[{address}]" if address.version == 6 else str(address)
