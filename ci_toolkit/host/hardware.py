"""What this machine is: processors, memory, kernel, clock; of the first two, what this process may use."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_toolkit.host import room, virtual

_CGROUP: Final = Path("/sys/fs/cgroup")
_PROCESSORS: Final = Path("/proc/cpuinfo")
_CLOCK: Final = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """`processors` is how many this process may use, in parts where a control group says so; memory is in bytes.

    `model` and `clock` are the kernel's names of the processor and of its clock source, "" where it has none.
    """

    processors: float
    model: str
    architecture: str
    memory_bytes: int
    free_memory_bytes: int
    kernel: str
    clock: str


def read() -> Hardware:
    """Look at this machine."""
    return Hardware(
        processors=min(float(len(os.sched_getaffinity(0))), room.quota(_CGROUP)),
        model=_model(),
        architecture=platform.machine(),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        free_memory_bytes=virtual.free_memory(_CGROUP),
        kernel=f"{platform.system()} {platform.release()}",
        clock=_first_line(_CLOCK),
    )


def _model() -> str:
    """Return what x86 calls "model name"; other architectures mostly tell none."""
    try:
        text = _PROCESSORS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    named = (line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name"))
    return next(named, "")


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip().partition("\n")[0]
    except OSError:
        return ""
