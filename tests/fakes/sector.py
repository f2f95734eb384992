"""Disks of one sector, which a BIOS starts: a guest that says on its serial ports what a test wants, or gives up."""

from pathlib import Path

ORIGIN = 0x7C00
COM1, COM2 = 0x3F8, 0x2F8
# xor ax,ax; mov ds,ax; cld
BEGIN = bytes.fromhex("31c0 8ed8 fc")
# hlt; jmp to it
STOP = bytes.fromhex("f4 ebfd")
# int 18h: what a boot sector calls that cannot boot
GIVE_UP = bytes.fromhex("cd18")


def say(port: int, address: int) -> bytes:
    """Machine code that writes the text at ADDRESS, which ends with a zero, to the serial PORT."""
    wait = b"\xba" + (port + 5).to_bytes(2, "little") + bytes.fromhex("ec a820 74fb")  # mov dx; in al; test; jz
    write = b"\xba" + port.to_bytes(2, "little") + bytes.fromhex("88e0 ee")  # mov dx; mov al,ah; out
    body = bytes.fromhex("ac 84c0 74") + bytes([2 + len(wait) + len(write) + 2]) + bytes.fromhex("88c4") + wait + write
    return b"\xbe" + address.to_bytes(2, "little") + body + b"\xeb" + bytes([256 - len(body) - 2])


def disk(path: Path, *texts: tuple[int, str], end: bytes = STOP, size: int = 1 << 20) -> Path:
    """A disk whose boot sector writes each text to its port, and then does END."""
    length = len(BEGIN) + sum(len(say(port, 0)) for port, _ in texts) + len(end)
    code, data = BEGIN, b""
    for port, text in texts:
        code += say(port, ORIGIN + length + len(data))
        data += text.encode() + b"\0"
    sector = (code + end + data).ljust(510, b"\0") + b"\x55\xaa"
    assert len(sector) == 512, "more than a sector holds"
    with path.open("wb") as file:
        file.write(sector)
        file.truncate(size)
    return path
