"""The kinds of executables that are read, in the order in which they are asked."""

from typing import Final

from ci_toolkit.images.format import Format, has

EXECUTABLES: Final = (
    Format(name="pe", sign=has(b"MZ"), module="executables.pe"),
    Format(name="elf", sign=has(b"\x7fELF"), module="executables.elf"),
    Format(name="pyc", sign=has(b"\r\n", at=2), module="executables.pyc"),
)
