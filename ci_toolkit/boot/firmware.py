"""The UEFI firmware of this machine, as QEMU's own descriptions name it (docs/interop/firmware.json of QEMU)."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

# Distributions describe theirs here; an administrator's own come first.
DIRECTORIES: Final = (Path("/etc/qemu/firmware"), Path("/usr/share/qemu/firmware"))

_ARCHITECTURE: Final = "x86_64"
_SECURE: Final = frozenset(("secure-boot", "enrolled-keys"))
# What protects the variables from the guest.
_PROTECTED: Final = "requires-smm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """Two files for QEMU's flash: the program, and its variables as they are at first.

    `protected` tells that it wants a machine with SMM, in which the guest itself cannot write the variables.
    """

    code: Path
    variables: Path
    protected: bool = False


def find(directories: tuple[Path, ...] = DIRECTORIES, *, secure: bool = False) -> Firmware | None:
    """Return the first plain UEFI for this architecture whose files are there, None where there is none.

    With SECURE, the first that starts only what is signed by one of the keys that it comes with.
    """
    files = (path for directory in directories for path in sorted(directory.glob("*.json")))
    return next((found for path in files if (found := _described(path, secure)) is not None), None)


def _described(path: Path, secure: bool) -> Firmware | None:
    try:
        told: Any = json.loads(path.read_text(encoding="utf-8"))
        mapping = told["mapping"]
        architectures = {target["architecture"] for target in told["targets"]}
        fits = "uefi" in told["interface-types"] and mapping["device"] == "flash" and _ARCHITECTURE in architectures
        features = set(told["features"])
        if not fits or (features & _SECURE != (_SECURE if secure else set())):
            return None
        found = Firmware(
            code=Path(mapping["executable"]["filename"]),
            variables=Path(mapping["nvram-template"]["filename"]),
            protected=_PROTECTED in features,
        )
    except (OSError, ValueError, KeyError, TypeError):  # of a kind that we do not know
        return None
    return found if found.code.is_file() and found.variables.is_file() else None
