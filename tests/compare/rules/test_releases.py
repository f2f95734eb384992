"""os-release, read as shells read it."""

from pathlib import Path

import pytest
from bench import cause, changed, finding, run, shows

FIXED = 'NAME="Arch Linux"\nID=arch\n'


def release(directory: Path, *lines: str) -> bytes:
    """An os-release with LINES, which a shell can read."""
    path = directory / "usr/lib/os-release"
    path.parent.mkdir(parents=True)
    path.write_text(FIXED + "".join(f"{line}\n" for line in lines))
    run("sh", "-c", f". {path}; test $ID = arch")
    return path.read_bytes()


@pytest.mark.parametrize("name", ["usr/lib/os-release", "etc/os-release", "etc/initrd-release", ".osrel"])
@pytest.mark.parametrize("key", ["IMAGE_VERSION", "BUILD_ID"])
def test_a_version_made_of_the_build_is_named_in_every_such_file(tmp_path: Path, name: str, key: str) -> None:
    pair = [release(tmp_path / version, f"{key}={version}") for version in ("20251124", "20251125")]
    assert cause(changed(name, *pair)) == "os-release-version"
    assert cause(changed(f"opt/{name.replace('/', '-')}", *pair)) != "os-release-version"


def test_another_key_that_differs_too_is_not_the_version(tmp_path: Path) -> None:
    pair = [release(tmp_path / n, f"BUILD_ID={n}", f"VARIANT=edition-{n}") for n in ("one", "two")]
    assert cause(changed("usr/lib/os-release", *pair)) == "unknown"


def test_a_line_that_only_one_has_is_not_the_version(tmp_path: Path) -> None:
    pair = [release(tmp_path / "a", "BUILD_ID=1"), release(tmp_path / "b")]
    assert cause(changed("usr/lib/os-release", *pair)) != "os-release-version"


@shows("os-release-version", by="sh")
def test_the_advised_script_makes_both_files_one(tmp_path: Path) -> None:
    pair = [release(tmp_path / n, f"BUILD_ID={n}", f"IMAGE_VERSION={n}") for n in ("1", "2")]
    fix = finding(changed("usr/lib/os-release", *pair)).fix
    line = next(line for line in fix.splitlines() if line.startswith("sed "))
    for name in ("1", "2"):
        run("sh", "-c", line, environment={"BUILDROOT": str(tmp_path / name)})
    assert {(tmp_path / n / "usr/lib/os-release").read_text() for n in ("1", "2")} == {FIXED}
