"""The machine that an image is started in: the call of QEMU, as a pure function of what it is made of."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_toolkit.boot.firmware import Firmware

PROGRAM: Final = "qemu-system-x86_64"

# The sockets that QEMU connects to, so that not one byte is lost: the serial console, the port of guest.sh, the
# firmware's own log (SeaBIOS), the guest agent, and the one through which QEMU is told what to do.
CONSOLE: Final = "console"
REPORT: Final = "report"
FIRMWARE: Final = "firmware"
AGENT: Final = "agent"
CONTROL: Final = "control"
SOCKETS: Final = (CONSOLE, REPORT, FIRMWARE, AGENT, CONTROL)

_AGENT_PORT: Final = "org.qemu.guest_agent.0"
_SEABIOS_PORT: Final = "0x402"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """An accelerator and a processor for QEMU, processors, and bytes of memory."""

    accelerator: str
    processor: str
    cpus: int
    memory: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """What a machine starts from over the network: `first` is the URL of the script for iPXE.

    Each connection to `address` in the guest's network gets a run of `command`; `console` is a file that tells SeaBIOS
    where to speak besides.
    """

    first: str
    address: tuple[str, int]
    command: str
    console: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a machine gets: the disk and its format, a UEFI (else SeaBIOS), and the files with its SMBIOS strings.

    There is no disk where it starts from the `net`.

    `seed` is a directory that the guest finds as a disk named CIDATA; `ssh` the port of this machine, or where QEMU
    runs, that leads to the guest's.
    """

    disk: Path | None
    format: str
    uefi: Firmware | None
    net: Net | None = None
    strings: Sequence[Path] = ()
    seed: Path | None = None
    ssh: tuple[str, int] | None = None


def argv(hardware: Hardware, parts: Parts, sockets: Path) -> tuple[str, ...]:
    """Return the call of QEMU. What the guest writes to its disk goes to a file that has no name (snapshot=on)."""
    smm = "on" if parts.uefi is not None and parts.uefi.protected else "off"
    threads = ",thread=multi" if hardware.accelerator == "tcg" else ""
    return (
        PROGRAM,
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        # Strings of more than 64 KiB in all take the newer entry point.
        *("-machine", f"q35,smbios-entry-point-type=64,smm={smm}", "-accel", f"{hardware.accelerator}{threads}"),
        *("-cpu", hardware.processor, "-smp", str(hardware.cpus), "-m", f"{hardware.memory >> 20}M"),
        *(_flash(parts.uefi) if parts.uefi is not None else ()),
        *(_disk(parts.disk, parts.format) if parts.disk is not None else ()),
        *(_seed(parts.seed) if parts.seed is not None else ()),
        *("-device", "VGA", "-device", "virtio-rng-pci", "-device", "virtio-serial-pci"),
        *_network(parts),
        *(word for name in SOCKETS for word in ("-chardev", f"socket,id={name},path={escaped(sockets / name)}")),
        *("-serial", f"chardev:{CONSOLE}", "-serial", f"chardev:{REPORT}"),
        *("-device", f"isa-debugcon,iobase={_SEABIOS_PORT},chardev={FIRMWARE}"),
        *("-device", f"virtserialport,chardev={AGENT},name={_AGENT_PORT}"),
        *("-mon", f"chardev={CONTROL},mode=control"),
        *(word for path in parts.strings for word in ("-smbios", f"type=11,path={escaped(path)}")),
    )


def _disk(path: Path, kind: str) -> tuple[str, ...]:
    drive = f"if=none,id=disk,format={kind},snapshot=on,file={escaped(path)}"
    return ("-drive", drive, "-device", "virtio-blk-pci,drive=disk,bootindex=0")


def _network(parts: Parts) -> tuple[str, ...]:
    """The card's own firmware, iPXE, is there only where it has something to start."""
    user, net = f"user,id=network{_forwarded(parts.ssh)}", parts.net
    if net is None:
        return ("-netdev", user, "-device", "virtio-net-pci,netdev=network,romfile=")
    command = net.command.replace(",", ",,")
    user += f",bootfile={net.first},guestfwd=tcp:{net.address[0]}:{net.address[1]}-cmd:{command}"
    return (
        *("-netdev", user, "-device", "virtio-net-pci,netdev=network,bootindex=0"),
        *("-fw_cfg", f"name=etc/sercon-port,file={escaped(net.console)}"),
    )


def _flash(uefi: Firmware) -> tuple[str, ...]:
    return (
        *(("-global", "driver=cfi.pflash01,property=secure,value=on") if uefi.protected else ()),
        *("-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={escaped(uefi.code)}"),
        *("-drive", f"if=pflash,unit=1,format=raw,snapshot=on,file={escaped(uefi.variables)}"),
    )


def _seed(directory: Path) -> tuple[str, ...]:
    """QEMU shows a directory as a FAT disk; cloud-init looks for its label (NoCloud)."""
    options = f"driver=vvfat,dir={escaped(directory)},label=CIDATA,fat-type=16"
    return ("-drive", f"if=none,id=seed,readonly=on,{options}", "-device", "virtio-blk-pci,drive=seed")


def _forwarded(ssh: tuple[str, int] | None) -> str:
    return "" if ssh is None else f",hostfwd=tcp:{ssh[0]}:{ssh[1]}-:22"


def escaped(path: Path) -> str:
    """Return PATH as a value among QEMU's options, where a comma stands doubled."""
    return os.fspath(path).replace(",", ",,")
