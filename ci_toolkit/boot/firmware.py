"""The UEFI firmware of this machine, as QEMU's own descriptions name it (docs/interop/firmware.json of QEMU)."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

# Distributions describe theirs here; an administrator's own come first.
DIRECTORIES: Final = (Path("/etc/qemu/firmware"), Path("/usr/share/qemu/firmware"))

_ARCHITECTURE: Final = "x86_64"
# Of those, what asks for keys, for another kind of machine, or for encrypted memory is not what is meant.
_UNWANTED: Final = frozenset(("secure-boot", "enrolled-keys", "requires-smm"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """Two files for QEMU's flash: the program, and its variables as they are at first."""

    code: Path
    variables: Path


def find(directories: tuple[Path, ...] = DIRECTORIES) -> Firmware | None:
    """Return the first plain UEFI for this architecture whose files are there, None where there is none."""
    files = (path for directory in directories for path in sorted(directory.glob("*.json")))
    return next((found for found in map(_described, files) if found is not None), None)


def _described(path: Path) -> Firmware | None:
    try:
        told: Any = json.loads(path.read_text(encoding="utf-8"))
        mapping = told["mapping"]
        architectures = {target["architecture"] for target in told["targets"]}
        fits = "uefi" in told["interface-types"] and mapping["device"] == "flash" and _ARCHITECTURE in architectures
        if not fits or _UNWANTED & set(told["features"]):
            return None
        found = Firmware(
            code=Path(mapping["executable"]["filename"]), variables=Path(mapping["nvram-template"]["filename"])
        )
    except (OSError, ValueError, KeyError, TypeError):  # of a kind that we do not know
        return None
    return found if found.code.is_file() and found.variables.is_file() else None
