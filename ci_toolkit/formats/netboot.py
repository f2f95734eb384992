"""What a machine boots from over the network: kernel, initrd, root, and a script for iPXE.

The root is an archive that systemd in the initrd (newer than 257, with systemd-pull, tar, gzip and a network) unpacks
into memory: systemd-import-generator(8).
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from ci_toolkit.errors import UnreadableError
from ci_toolkit.formats import gzip, tar
from ci_toolkit.formats.source import Disk
from ci_toolkit.formats.work import Work
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Entry, Kind
from ci_toolkit.images.executables import pe
from ci_toolkit.images.limits import MIB
from ci_toolkit.images.read import identify

KERNEL: Final = "vmlinuz"
INITRD: Final = "initrd"
ROOT: Final = "root.tar.gz"
SCRIPT: Final = "boot.ipxe"
# Who chains the script may have set `base`, for which an iPXE of 2019 (Debian 12's) has no word, and `arguments`.
_PULL: Final = "rd.systemd.pull=tar,machine,verify=no:root:${base}" + ROOT
_BOUND: Final = "root=bind:/run/machines/root ip=any"
# What a command line says of the disk that is not there.
_OF_THE_DISK: Final = re.compile(r"(?:root|rootflags|rootfstype|roothash|usrhash|mount\.usr\w*|systemd\.verity\w*)=\S*")
_COMMAND_LINE_MAX: Final = 4096
_CONFIGURATION_MAX: Final = 64 << 10
_SIGN: Final = "A unified kernel image (EFI/Linux/*.efi) or a boot loader entry (loader/entries/*.conf) is looked for."

_SCRIPT: Final = """\
#!ipxe
isset ${{base}} || set base ${{cwduri}}
isset ${{base}} || goto unknown
kernel ${{base}}{kernel} initrd={initrd} {line} ${{arguments}}
initrd ${{base}}{initrd}
boot
exit 1
:unknown
echo This iPXE does not know where it found this script. Set base to the address of its directory, with a slash at
echo the end, and chain it again.
exit 1
"""


class Boot(NamedTuple):
    """What is booted: the initrd may lie in several files, one after the other."""

    kernel: Data
    initrds: tuple[Data, ...]
    line: str


def write(work: Work, target: Path) -> None:
    """Write the four files into the directory TARGET."""
    boot = find(work.disk)
    _copy(target / KERNEL, (boot.kernel,))
    _copy(target / INITRD, boot.initrds)
    done = work.progress("netboot", work.tree.size)
    with (target / ROOT).open("wb") as file:
        for piece in gzip.compressed(tar.stream(work.tree)):
            file.write(piece)
            done(len(piece))
    kept = " ".join(_OF_THE_DISK.sub("", boot.line).split())
    line = " ".join(filter(None, (kept, _PULL, _BOUND)))
    (target / SCRIPT).write_text(_SCRIPT.format(kernel=KERNEL, initrd=INITRD, line=line), encoding="utf-8")


def find(disk: Disk) -> Boot:
    """Return what the boot loader would start by default: the last by name. Raises UnreadableError where nothing is."""
    found: list[tuple[str, Boot]] = []
    for partition in disk.require_table().entries:
        if partition.data is None:
            continue
        known = identify(partition.data)
        if known is None or known.name not in ("vfat", "ext4"):
            continue
        files = {entry.path: entry for entry in known.read(partition.data, disk.budget).entries}
        found += _unified(files, disk)
        found += _entries(files)
    if not found:
        raise UnreadableError(f"no kernel with an initrd is found in {disk.name}", hint=_SIGN)
    return max(found, key=lambda one: one[0])[1]


def _unified(files: dict[str, Entry], disk: Disk) -> Iterator[tuple[str, Boot]]:
    """Yield the unified kernel images, by their names."""
    for path, entry in files.items():
        place = PurePosixPath(path)
        parts = tuple(part.lower() for part in place.parts[:-1])
        if parts[-2:] != ("efi", "linux") or place.suffix.lower() != ".efi" or entry.data is None:
            continue
        if not pe.recognise(entry.data):
            continue
        sections = {one.path: one.data for one in pe.read(entry.data, disk.budget).entries if one.data is not None}
        kernel, line = sections.get(".linux"), sections.get(".cmdline")
        # Microcode goes before what the kernel unpacks.
        initrds = tuple(sections[name] for name in (".ucode", ".initrd") if name in sections)
        if kernel is not None and initrds:
            yield place.name, Boot(kernel, initrds, _line(line))


def _entries(files: dict[str, Entry]) -> Iterator[tuple[str, Boot]]:
    """Yield the kernels that a boot loader entry names (UAPI.1), by the names of the entries."""
    folded = {path.lower(): entry for path, entry in files.items()}
    for path, entry in files.items():
        place = PurePosixPath(path)
        if [part.lower() for part in place.parts[-3:-1]] != ["loader", "entries"] or place.suffix != ".conf":
            continue
        if entry.kind is not Kind.FILE or entry.data is None:
            continue
        raw = entry.data.read_at(0, _CONFIGURATION_MAX)
        pairs = [line.split(None, 1) for line in raw.decode("utf-8", "replace").splitlines()]
        told = [(pair[0], pair[1].strip()) for pair in pairs if len(pair) == 2]
        named = [(key, folded.get(value.strip("/").lower())) for key, value in told]
        kernels, initrds = (
            tuple(found.data for key, found in named if key == wanted and found is not None and found.data is not None)
            for wanted in ("linux", "initrd")
        )
        if kernels and initrds:
            line = " ".join(value for key, value in told if key == "options")
            yield place.name, Boot(kernels[0], initrds, line)


def _line(section: Data | None) -> str:
    raw = section.read_at(0, _COMMAND_LINE_MAX) if section is not None else b""
    return raw.partition(b"\0")[0].decode("utf-8", "replace")


def _copy(target: Path, parts: tuple[Data, ...]) -> None:
    with target.open("wb") as file:
        for part in parts:
            for offset in range(0, part.size, MIB):
                file.write(part.read_at(offset, MIB))
