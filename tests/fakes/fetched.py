"""Netboot directories whose kernel says on a serial port what a guest would."""

import gzip
from pathlib import Path

import sector

TOLD = "ci-toolkit hello - \nci-toolkit state - eA==\nci-toolkit end - \n"
SCRIPT = "#!ipxe\nisset ${base} || exit 1\nchain ${base}vmlinuz\n"


def directory(place: Path, script: str = SCRIPT) -> Path:
    """A netboot directory, whose kernel is a sector that iPXE takes for a network boot program."""
    place.mkdir()
    sector.disk(place / "vmlinuz", (sector.COM2, TOLD), size=512)
    (place / "initrd").write_bytes(b"initrd")
    (place / "root.tar.gz").write_bytes(gzip.compress(bytes(1000)))
    (place / "boot.ipxe").write_text(script, encoding="ascii")
    return place
