import os
import shutil
from pathlib import Path

import pytest

from ci_toolkit.host import kvm
from ci_toolkit.process import MINIMAL, Command, Completed

KERNEL = Path("/boot/vmlinuz-6.12")

# The end of a serial console of Linux 6.1 that found no disk.
PANIC = """\
[    1.791] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\r
[    1.806] ---[ end Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0) ]---\r
"""
# All that came of a guest on a nested host where KVM hangs.
HANG = "SeaBIOS (version 1.16.2-debian-1.16.2-1)\r\nProbing EDD (edd=off to disable)... ok\r\n"
ABORT = (
    "qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69\n"
    "qemu-system-x86_64: ../../target/i386/kvm/kvm.c:3183: kvm_buf_set_msrs: Assertion failed.\n"
)


def completed(exit_code: int, stdout: str = "", stderr: str = "") -> Completed:
    return Completed(command=Command(argv=("qemu",)), exit_code=exit_code, stdout=stdout, stderr=stderr)


def test_the_kernels_own_complaint_is_the_proof() -> None:
    found = kvm.judge(completed(0, PANIC), "kvm, -cpu max", KERNEL, 10)
    assert found.available
    assert "booted /boot/vmlinuz-6.12" in found.reason


def test_the_proof_counts_even_when_qemu_does_not_end() -> None:
    assert kvm.judge(completed(124, PANIC), "kvm, -cpu max", KERNEL, 10).available


def test_a_guest_that_hangs_is_no_proof_and_its_last_words_are_shown() -> None:
    found = kvm.judge(completed(124, HANG), "kvm, -cpu max", KERNEL, 10)
    assert not found.available
    assert "hangs" in found.reason
    assert "Probing EDD" in found.reason


def test_a_guest_that_says_nothing_is_no_proof() -> None:
    assert "it said nothing" in kvm.judge(completed(124), "kvm, -cpu max", KERNEL, 10).reason


def test_a_qemu_that_aborts_is_no_proof() -> None:
    found = kvm.judge(completed(134, HANG, ABORT), "kvm, -cpu max", KERNEL, 10)
    assert not found.available
    assert "exit code 134" in found.reason
    assert "kvm_buf_set_msrs" in found.reason


def test_without_the_node_nothing_is_booted(tmp_path: Path) -> None:
    found = kvm.probe(device=tmp_path / "kvm")
    assert not found.available
    assert found.reason == f"{tmp_path}/kvm is not there"


def test_a_node_that_may_not_be_opened_is_shown_with_its_group(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may open everything")
    node = tmp_path / "kvm"
    node.touch(mode=0)
    assert f"(group {node.stat().st_gid}): Permission denied" in kvm.probe(device=node).reason


def test_a_node_that_opens_is_not_believed_without_a_kernel(tmp_path: Path) -> None:
    node = tmp_path / "kvm"
    node.touch()
    found = kvm.probe(device=node, root=tmp_path)
    assert not found.available
    assert found.reason.startswith("not proven: ")


def test_a_quick_probe_says_that_it_did_not_try() -> None:
    assert not kvm.untried().available
    assert "not tried" in kvm.untried().reason


def test_the_toolkits_own_kernel_comes_first_and_the_newest_of_the_hosts(tmp_path: Path) -> None:
    for name in ("boot/vmlinuz-6.1", "boot/vmlinuz-6.9", "usr/lib/ci-toolkit/vmlinuz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    names = [str(path.relative_to(tmp_path)) for path in kvm.find_kernels(tmp_path)]
    assert names == ["usr/lib/ci-toolkit/vmlinuz", "boot/vmlinuz-6.9", "boot/vmlinuz-6.1"]


@pytest.mark.integration
def test_the_probe_proves_an_emulated_machine() -> None:
    """TCG runs everywhere, so a probe that fails here could never succeed with KVM."""
    kernels = [path for path in kvm.find_kernels() if os.access(path, os.R_OK)]
    if shutil.which(f"qemu-system-{os.uname().machine}", path=MINIMAL["PATH"]) is None or not kernels:
        pytest.skip("QEMU or a kernel (/boot/vmlinuz-*) is not installed")
    found = kvm.boot("tcg", kernels=kernels, seconds=120)
    assert found.available, found.reason
