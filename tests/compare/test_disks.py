"""Disks in containers of hypervisors, compared with each other and with raw ones; the containers made by qemu-img."""

import shutil
from pathlib import Path

import pytest
from bench import run
from disks import SEED, ext4, fat, gpt
from truths import cmp
from virtual import converted

from ci_toolkit.compare import disks
from ci_toolkit.compare.comparison import Comparison, Verdict
from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.explain import explain
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data, Memory, Run
from ci_toolkit.images.limits import Limits

FORMS = ("qcow2", "vmdk", "vdi", "vpc", "vhdx")
CHANGED = {("2:root", "etc/hostname"), ("1:esp", "loader.conf")}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two raw disks that differ in one file of either file system."""
    work = tmp_path_factory.mktemp("disks")
    made = []
    for name in ("one", "two"):
        root = work / name / "etc"
        root.mkdir(parents=True)
        (root / "hostname").write_text(name)
        (root / "same").write_text("same" * 3000)
        run("touch", "-d", "@1700000000", root / "hostname", root / "same", root, root.parent)
        esp = fat(work / f"{name}.fat", {"loader.conf": name.encode()})
        made.append(
            gpt(work / f"{name}.raw", {"esp": esp, "root": ext4(work / f"{name}.ext4", root.parent, uuid=SEED)})
        )
    return made[0], made[1]


def contents(compared: Comparison) -> set[tuple[str, ...]]:
    return {found.path for found in compared.differences if found.field is Field.CONTENT and found.path}


def check_bytes(compared: Comparison, a: Path, b: Path) -> None:
    assert (compared.differing_bytes, compared.first_offset) == cmp(a, b)
    assert sum(found.bytes for found in compared.differences) == compared.differing_bytes


@pytest.mark.parametrize("form", FORMS)
def test_what_differs_inside_is_named(tmp_path: Path, pair: tuple[Path, Path], form: str) -> None:
    images = [converted(source, tmp_path / source.name, form) for source in pair]
    compared = compare(*images)
    assert compared.skipped == ()
    assert contents(compared) == CHANGED
    check_bytes(compared, *images)


@pytest.mark.parametrize("form", ["qcow2", "vmdk"])
def test_what_differs_inside_compressed_clusters_is_named(tmp_path: Path, pair: tuple[Path, Path], form: str) -> None:
    options = ("subformat=streamOptimized",) if form == "vmdk" else ()
    images = [converted(source, tmp_path / source.name, form, *options, compressed=form == "qcow2") for source in pair]
    compared = compare(*images)
    assert contents(compared) == CHANGED
    (clusters,) = [found for found in compared.differences if found.name == "clusters"]
    assert clusters.bytes > 0 and clusters.path == ()
    check_bytes(compared, *images)


@pytest.mark.parametrize("form", FORMS)
def test_a_raw_disk_and_one_in_a_container_are_compared_inside(
    tmp_path: Path, pair: tuple[Path, Path], form: str
) -> None:
    # Where no size is forced, qemu rounds that of a VHD up.
    image = converted(pair[1], tmp_path / "image", form, *(["force_size=on"] if form == "vpc" else []))
    compared = compare(pair[0], image)
    assert compared.verdict is Verdict.DIFFERENT
    assert contents(compared) == CHANGED
    (container,) = [found for found in compared.differences if found.name == "disk_format"]
    assert (container.before, container.after) == ("raw", "vhd" if form == "vpc" else form)
    check_bytes(compared, pair[0], image)


def test_equal_disks_in_two_containers_differ_in_nothing_else(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    images = [converted(pair[0], tmp_path / form, form) for form in ("qcow2", "vdi")]
    compared = compare(*images)
    ((before, after),) = [(found.before, found.after) for found in compared.differences]
    assert (before, after) == ("qcow2", "vdi")
    check_bytes(compared, *images)


def test_a_container_that_alone_differs_is_named_by_its_facts(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    for form, name in (("vmdk", "CID"), ("vdi", "uuid"), ("vpc", "uuid")):
        images = [converted(pair[0], tmp_path / f"{form}{number}", form) for number in range(2)]
        compared = compare(*images)
        assert contents(compared) == set()
        assert name in {found.name for found in compared.differences}
        assert all(found.field is Field.HEADER or found.path == () for found in compared.differences)
        check_bytes(compared, *images)


def test_clusters_in_another_order_are_all_that_differs(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    one = converted(pair[0], tmp_path / "one", "qcow2")
    two = tmp_path / "two"
    run("qemu-img", "create", "-q", "-f", "qcow2", two, str(pair[0].stat().st_size))
    # The last bytes of the disk first.
    run("qemu-io", "-f", "qcow2", "-c", f"write -P 0 {pair[0].stat().st_size - 65536} 64k", two)
    run("qemu-img", "convert", "-n", "-f", "raw", "-O", "qcow2", pair[0], two)
    compared = compare(one, two)
    assert contents(compared) == set()
    assert {found.name for found in compared.differences} <= {None, "clusters", "cluster tables", "reference counts"}
    assert "clusters" in {found.name for found in compared.differences}
    check_bytes(compared, one, two)


def test_gaps_inside_are_compared_too(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    changed = Path(shutil.copy(pair[0], tmp_path / "changed"))
    with changed.open("r+b") as file:
        file.seek(40 * 512)
        file.write(b"boot code of some kind")
    compared = compare(pair[0], converted(changed, tmp_path / "image", "qcow2"))
    assert {found.name for found in compared.differences} == {"disk_format", "gap"}


def test_a_disk_of_no_known_kind_is_compared_as_it_is(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode() * (2 << 20))
    image = converted(tmp_path / "b", tmp_path / "image", "qcow2")
    compared = compare(tmp_path / "a", image)
    assert [found.field for found in compared.differences] == [Field.HEADER, Field.CONTENT]
    check_bytes(compared, tmp_path / "a", image)


def test_a_disk_image_in_a_file_system_is_opened(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    systems = []
    for number, source in enumerate(pair):
        root = tmp_path / f"root{number}"
        root.mkdir()
        converted(source, root / "vm.qcow2", "qcow2")
        run("touch", "-d", "@1700000000", root / "vm.qcow2", root)
        systems.append(ext4(tmp_path / f"{number}.ext4", root, uuid=SEED, size=32 << 20))
    compared = compare(*systems)
    assert contents(compared) == {("vm.qcow2",)} | {("vm.qcow2", *path) for path in CHANGED}
    check_bytes(compared, *systems)


def test_a_disk_that_cannot_be_taken_out_is_refused(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", pair[0], tmp_path / "overlay")
    with pytest.raises(UnreadableError, match=r"overlay: the disk image holds only what differs"):
        compare(pair[0], tmp_path / "overlay")


@pytest.mark.parametrize("form", FORMS)
def test_what_only_the_container_draws_has_a_cause(tmp_path: Path, pair: tuple[Path, Path], form: str) -> None:
    images = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        # A VMDK holds its own name.
        images.append(converted(pair[0], tmp_path / name / "image", form))
    compared = compare(*images)
    causes = {found.cause for found in explain(compared.differences, Facts())}
    # qcow2 draws nothing.
    assert (compared.verdict is Verdict.IDENTICAL) is (form == "qcow2")
    assert "unknown" not in causes


def test_clusters_compressed_in_another_way_are_told(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    images = [
        converted(pair[0], tmp_path / method, "qcow2", f"compression_type={method}", compressed=True)
        for method in ("zlib", "zstd")
    ]
    causes = {found.cause for found in explain(compare(*images).differences, Facts())}
    assert "compression-stream" in causes and "unknown" not in causes


def test_a_disk_that_unpacks_to_too_much_is_skipped(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    image = converted(pair[1], tmp_path / "image", "qcow2", compressed=True)
    compared = compare(pair[0], image, limits=Limits(decompressed=100_000))
    assert [found.name for found in compared.differences] == ["disk_format"]
    assert "compressed streams hold more" in compared.skipped[0].reason


def test_holes_of_a_large_disk_cost_nothing(tmp_path: Path) -> None:
    images = [tmp_path / "a", tmp_path / "b"]
    for number, image in enumerate(images):
        run("qemu-img", "create", "-q", "-f", "qcow2", image, "1T")
        run("qemu-io", "-f", "qcow2", "-c", f"write -P {number} 900G 1k", image)
    compared = compare(*images, limits=Limits(read=64 << 20))
    assert [found.bytes for found in compared.differences] == [0, 1024]
    assert compared.skipped == ()
    check_bytes(compared, *images)


def test_holes_are_not_held() -> None:
    data = Data(Memory(bytes(100)), (Run(0, 50, None), Run(50, 20, 10), Run(70, 5, None)), 75)
    assert disks.held(data) == 20


def test_what_is_no_disk_image_is_raw() -> None:
    assert [disks.shape(name) for name in ("qcow2", "gpt", "data")] == ["qcow2", "raw", "raw"]
