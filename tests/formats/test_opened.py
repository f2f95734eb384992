"""Every format, opened by the programs that docs/convert.md names for it: the page and this table say the same."""

import json
import re
import shutil
import subprocess
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import bootable
import pytest
from bench import PATH, run
from bootable import Converted

from ci_toolkit.formats.table import FORMATS

ROOT = Path(__file__).parents[2]

# Takes what was made, the disk that it was made of, and an empty directory.
Opens = Callable[[Path, Path, Path], object]


def compared(kind: str) -> Opens:
    def opens(made: Path, disk: Path, _: Path) -> None:
        run("qemu-img", "compare", "-q", "-f", kind, "-F", "raw", made, disk)

    return opens


def checked(kind: str) -> Opens:
    return lambda made, disk, place: run("qemu-img", "check", "-q", "-f", kind, made)


def member_compared(name: str, kind: str) -> Opens:
    """The disk in an archive, taken out by tar."""

    def opens(made: Path, disk: Path, place: Path) -> None:
        run("tar", "-x", "-z", "-f", made, "-C", place, name)
        compared(kind)(place / name, disk, place)

    return opens


def added(provider: str) -> Opens:
    def opens(made: Path, disk: Path, place: Path) -> None:
        home = {"VAGRANT_HOME": str(place / "home"), "HOME": str(place), "VAGRANT_CHECKPOINT_DISABLE": "1"}
        run("vagrant", "box", "add", "--name", "one", "--provider", provider, made, environment=home)
        assert f"one ({provider}, 0)" in run("vagrant", "box", "list", environment=home).decode()

    return opens


def listed(*options: str, wanted: str) -> Opens:
    def opens(made: Path, disk: Path, place: Path) -> None:
        assert wanted in run("tar", "-t", *options, "-f", made).decode("utf-8", "replace").splitlines()

    return opens


def inspected(made: Path, disk: Path, place: Path) -> None:
    assert json.loads(run("skopeo", "inspect", f"oci:{made}:latest"))["Architecture"] == "amd64"


def copied(transport: str) -> Opens:
    def opens(made: Path, disk: Path, place: Path) -> None:
        run("skopeo", "copy", "-q", "--insecure-policy", f"{transport}:{made}", f"dir:{place}")

    return opens


def unpacked_by_umoci(made: Path, disk: Path, place: Path) -> None:
    run("umoci", "unpack", "--rootless", "--image", f"{made}:latest", place / "bundle")
    assert (place / "bundle/rootfs/usr/lib/os-release").read_text() == "ID=test\n"


def loaded_and_run(made: Path, disk: Path, place: Path) -> None:
    docker = shutil.which("docker", path=PATH)
    if docker is None or subprocess.run([docker, "info"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no Docker engine answers")
    # Its name follows from the disk's: one of its own, lest somebody else's image goes.
    image = place / f"ci-toolkit-test-{uuid.uuid4().hex[:12]}.raw"
    image.symlink_to(disk)
    (own,) = bootable.to(image, "docker-archive", place).results
    name = run("docker", "load", "--quiet", "--input", own.path).decode().rpartition(": ")[2].strip()
    try:
        assert run("docker", "run", "--rm", "--network=none", name).decode() == f"{bootable.HELLO}\n"
    finally:
        run("docker", "image", "rm", name)


def whole(program: str, name: str = "") -> Opens:
    return lambda made, disk, place: run(program, "-t", made / name if name else made)


OPENED: Final[Mapping[str, Mapping[str, Opens]]] = {
    "qcow2": {"qemu-img check": checked("qcow2"), "qemu-img compare": compared("qcow2")},
    "vmdk": {"qemu-img check": checked("vmdk"), "qemu-img compare": compared("vmdk")},
    "vdi": {"qemu-img check": checked("vdi"), "qemu-img compare": compared("vdi")},
    "vhd": {"qemu-img compare": compared("vpc")},
    "vhdx": {"qemu-img check": checked("vhdx"), "qemu-img compare": compared("vhdx")},
    "vagrant-libvirt": {
        "vagrant box add": added("libvirt"), "tar": listed("-z", wanted="metadata.json"),
        "qemu-img compare": member_compared("box.img", "qcow2"),
    },
    "vagrant-virtualbox": {
        "vagrant box add": added("virtualbox"), "tar": listed("-z", wanted="box.ovf"),
        "qemu-img compare": member_compared("box.vmdk", "vmdk"),
    },
    "oci": {"skopeo inspect": inspected, "skopeo copy": copied("oci"), "umoci unpack": unpacked_by_umoci},
    "docker-archive": {"docker load and run": loaded_and_run, "skopeo copy": copied("docker-archive")},
    "tar.zst": {"zstd": whole("zstd"), "tar": listed("--zstd", wanted="usr/lib/os-release")},
    "netboot": {
        "gzip": whole("gzip", "root.tar.gz"),
        "tar": lambda made, disk, place: listed("-z", wanted="usr/bin/")(made / "root.tar.gz", disk, place),
    },
    "iso": {
        "xorriso -indev": lambda made, disk, place: run("xorriso", "-abort_on", "WARNING", "-indev", made, "-find"),
        "bsdtar": lambda made, disk, place: run("bsdtar", "-x", "-f", made, "-C", place, "README"),
    },
    "gce": {"tar": listed("-z", wanted="disk.raw"), "qemu-img compare": member_compared("disk.raw", "raw")},
    "azure": {"qemu-img compare": compared("vpc")},
}  # fmt: skip


def rows() -> dict[str, list[str]]:
    """The cells of docs/convert.md's table after the format's name."""
    page = (ROOT / "docs/convert.md").read_text(encoding="utf-8")
    lines = (line for line in page.splitlines() if re.match(r"\| `", line) and line.count("|") == 5)
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {row[0].strip("`"): row[1:] for row in cells}


def test_the_page_has_a_row_for_each_format_in_their_order_and_no_other() -> None:
    assert list(rows()) == [one.name for one in FORMATS] == list(OPENED)


@pytest.mark.parametrize("one", FORMATS, ids=lambda one: one.name)
def test_the_row_tells_the_file_why_it_is_deterministic_and_who_opens_it(one: object) -> None:
    name, suffix = one.name, one.suffix  # type: ignore[attr-defined]
    result, why, opened = rows()[name]
    assert f"NAME{suffix}" in result
    assert why
    assert opened == ", ".join(f"`{program}`" for program in OPENED[name])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "program"), [(name, program) for name, programs in OPENED.items() for program in programs]
)
def test_the_program_opens_it(tmp_path: Path, converted: Converted, disk: Path, name: str, program: str) -> None:
    OPENED[name][program](converted(name), disk, tmp_path)
