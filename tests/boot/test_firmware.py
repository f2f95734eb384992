import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ci_toolkit.boot.firmware import Firmware, find


def described(directory: Path, name: str, *, features: tuple[str, ...] = (), **changed: Any) -> Firmware:
    """A description as distributions ship them, with its files beside it."""
    files = Firmware(code=directory / f"{name}.code.fd", variables=directory / f"{name}.vars.fd")
    files.code.touch()
    files.variables.touch()
    told = {
        "interface-types": ["uefi"],
        "mapping": {
            "device": "flash",
            "executable": {"filename": str(files.code), "format": "raw"},
            "nvram-template": {"filename": str(files.variables), "format": "raw"},
        },
        "targets": [{"architecture": "x86_64", "machines": ["pc-q35-*"]}],
        "features": list(features),
    }
    (directory / f"{name}.json").write_text(json.dumps(told | changed), encoding="utf-8")
    return files


def test_a_plain_one_is_taken_whatever_comes_before_it(tmp_path: Path) -> None:
    described(tmp_path, "10", features=("secure-boot", "enrolled-keys"))
    described(tmp_path, "20", targets=[{"architecture": "aarch64", "machines": ["virt-*"]}])
    described(tmp_path, "30").code.unlink()
    (tmp_path / "40.json").write_text("{", encoding="utf-8")
    described(tmp_path, "41", mapping={"device": "memory", "filename": "x"})
    plain = described(tmp_path, "50", features=("acpi-s3",))
    described(tmp_path, "60")
    assert find((tmp_path / "none", tmp_path)) == plain


def test_secure_boot_takes_one_with_keys(tmp_path: Path) -> None:
    described(tmp_path, "10", features=("secure-boot",))
    described(tmp_path, "20")
    keyed = described(tmp_path, "30", features=("secure-boot", "enrolled-keys", "requires-smm"))
    found = find((tmp_path,), secure=True)
    assert found == replace(keyed, protected=True)


def test_an_administrators_own_comes_first(tmp_path: Path) -> None:
    for name in ("etc", "usr"):
        (tmp_path / name).mkdir()
    described(tmp_path / "usr", "10")
    own = described(tmp_path / "etc", "90")
    assert find((tmp_path / "etc", tmp_path / "usr")) == own


def test_this_machines_is_one_if_it_has_any() -> None:
    found = find()
    if found is None:
        pytest.skip("no UEFI firmware is described on this machine")
    assert b"_FVH" in found.code.read_bytes()[:64]
