"""The kinds of executables that are read, in the order in which they are asked."""

from typing import Final

from ci_toolkit.images.executables import elf, pe, pyc
from ci_toolkit.images.format import Format

EXECUTABLES: Final = (
    Format(name="pe", recognise=pe.recognise, read=pe.read),
    Format(name="elf", recognise=elf.recognise, read=elf.read),
    Format(name="pyc", recognise=pyc.recognise, read=pyc.read),
)
