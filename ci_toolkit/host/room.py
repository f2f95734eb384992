"""Whether there is room on this machine for two builds at once: processors, memory, disk."""

import os
import shutil
from pathlib import Path
from typing import Final

from ci_toolkit.host import virtual

_GIB: Final = 1 << 30
_CGROUP: Final = Path("/sys/fs/cgroup")

# What two builds of a large image take: package managers and compressors in memory, trees and images on the disk.
MEMORY: Final = 4 * _GIB
DISK: Final = 12 * _GIB


def obstacle(scratch: Path, cgroup: Path = _CGROUP) -> str | None:
    """Return why two builds that work in SCRATCH should not run at once, None where they may."""
    processors = min(float(len(os.sched_getaffinity(0))), quota(cgroup))
    if processors < 2:
        return f"there is {processors:.3g} processor"
    memory = virtual.free_memory(cgroup)
    if memory < MEMORY:
        return f"{memory / _GIB:.1f} GiB of memory are free, and {MEMORY // _GIB} would be needed"
    disk = shutil.disk_usage(scratch).free
    if disk < DISK:
        return f"{disk / _GIB:.1f} GiB are free where the builds lie, and {DISK // _GIB} would be needed"
    return None


def quota(cgroup: Path) -> float:
    """Return how many processors the control group may use (cgroup v2's cpu.max, v1's cpu.cfs_quota_us)."""
    try:
        share, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            share, period = (
                (cgroup / "cpu" / f"cpu.cfs_{name}_us").read_text(encoding="ascii") for name in ("quota", "period")
            )
        except OSError:
            return float("inf")
    try:
        return float("inf") if int(share) < 0 else int(share) / int(period)
    except (ValueError, ZeroDivisionError):  # "max"
        return float("inf")
