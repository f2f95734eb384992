import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from bench import run

from ci_toolkit.boot.ports import listening


@pytest.fixture
def sockets() -> Iterator[set[str]]:
    """Sockets of each kind that wait for somebody, and their names."""
    names = set()
    with ExitStack() as stack:
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                one = stack.enter_context(socket.socket(family, kind))
                try:
                    one.bind((address, 0))
                except OSError:
                    pytest.skip("there is no IPv6 here")
                if kind == socket.SOCK_STREAM:
                    one.listen()
                shown = f"[{address}]" if family == socket.AF_INET6 else address
                name = "tcp" if kind == socket.SOCK_STREAM else "udp"
                names.add(f"{name} {shown}:{one.getsockname()[1]}")
        yield names


def test_the_kernels_tables_name_what_listens_as_ss_does(sockets: set[str]) -> None:
    told = {
        port
        for table in ("tcp", "tcp6", "udp", "udp6")
        for port in listening(table, Path("/proc/net", table).read_text(encoding="ascii"))
    }
    assert sockets <= told
    rows = (line.split() for line in run("ss", "-Hltun").decode().splitlines())
    named = {f"{row[0]} {row[4]}" for row in rows}
    assert sockets <= named


@pytest.mark.parametrize("table", ["tcp", "tcp6", "udp6", "nonsense"])
def test_a_table_of_a_hostile_guest_names_nothing(table: str) -> None:
    lines = ["head", "0: x:y 0 0A", "0", "0: 0100007F:FFFFF 0 0A", "0: 0100007F 0 0A", "\x1b[2J", "0: 0:0 0 0A"]
    assert listening(table, "\n".join(lines)) == ()


def test_a_table_without_end_is_cut() -> None:
    rows = "\n".join(f"{number}: 00000000:{number:04X} 0 0A" for number in range(5000))
    assert len(listening("tcp", "head\n" + rows)) == 1000
