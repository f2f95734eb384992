"""PE files and kernel modules, by binutils and openssl."""

import struct
from pathlib import Path

import pytest
from bench import cause, changed, differs, finding, run, shows, together

from ci_toolkit.compare.difference import Field


def linked(directory: Path, value: int, epoch: int) -> bytes:
    """Link a PE file at EPOCH."""
    directory.mkdir()
    source = f".text\n.globl _start\n_start: ret\n.data\n.long {value}\n"
    run("as", "-o", directory / "a.o", "-", stdin=source.encode())
    emulations = run("ld", "-V").decode()
    if "i386pep" not in emulations:
        pytest.skip("ld does not link PE files")
    output = directory / "a.efi"
    clock = {"SOURCE_DATE_EPOCH": str(epoch)}
    run("ld", "-m", "i386pep", "-e", "_start", "--insert-timestamp", "-o", output, directory / "a.o", environment=clock)
    return output.read_bytes()


def stamped(data: bytes, stamp: int) -> bytes:
    """Binutils before 2.41 stamp the present time whatever they are told: put STAMP where they do."""
    (header,) = struct.unpack_from("<I", data, 0x3C)
    return data[: header + 8] + struct.pack("<I", stamp) + data[header + 12 :]


@shows("pe-timestamp", by="ld")
@shows("pe-checksum", by="ld")
def test_the_time_of_linking_is_named(tmp_path: Path) -> None:
    first = stamped(linked(tmp_path / "a", 1, 1_700_000_000), 1_700_000_000)
    second = stamped(linked(tmp_path / "b", 1, 1_700_000_001), 1_700_000_001)
    told = finding(changed("EFI/BOOT/BOOTX64.EFI", first, second, container="vfat"))
    assert told.cause == "pe-timestamp"
    assert "[Content]\nSourceDateEpoch=" in told.fix
    path = ("1:esp", "EFI/Linux/linux.efi")
    stamp = differs(path, Field.HEADER, 1_700_000_000, 1_700_000_001, name="timestamp", container="pe")
    sums = (
        int.from_bytes(data[struct.unpack_from("<I", data, 0x3C)[0] + 88 :][:4], "little") for data in (first, second)
    )
    checksum = differs(path, Field.HEADER, next(sums), next(sums) + 1, name="checksum", container="pe")
    assert together(stamp, checksum)["pe-checksum"].consequence_of == ("pe-timestamp",)


def test_another_program_is_unknown(tmp_path: Path) -> None:
    first, second = linked(tmp_path / "a", 1, 1_700_000_000), linked(tmp_path / "b", 2, 1_700_000_001)
    assert cause(changed("EFI/BOOT/BOOTX64.EFI", first, stamped(second, 1), container="vfat")) == "unknown"


def test_the_time_in_an_opened_file_is_named_by_its_fact() -> None:
    path = ("1:esp", "EFI/Linux/linux.efi")
    assert cause(differs(path, Field.HEADER, 1, 2, name="timestamp", container="pe")) == "pe-timestamp"
    assert cause(differs(path, Field.HEADER, 1, 2, name="checksum", container="pe")) == "unknown"
    assert cause(differs(path, Field.HEADER, 1, 2, name="machine", container="pe")) == "unknown"


def signed(data: bytes, certificate: bytes) -> bytes:
    """Append CERTIFICATE as signing tools do, and enter it in the data directory."""
    (header,) = struct.unpack_from("<I", data, 0x3C)
    entry = header + 24 + 112 + 4 * 8
    data += bytes(-len(data) % 8)
    table = struct.pack("<IHH", 8 + len(certificate), 0x200, 2) + certificate
    return data[:entry] + struct.pack("<II", len(data), len(table)) + data[entry + 8 :] + table


@shows("authenticode-signature", by="openssl")
def test_two_signatures_of_one_program_are_named(tmp_path: Path) -> None:
    program = linked(tmp_path / "a", 1, 1_700_000_000)
    first, second = (signed(program, run("openssl", "rand", "512")) for _ in range(2))
    assert cause(changed("EFI/BOOT/BOOTX64.EFI", first, second)) == "authenticode-signature"
    other = signed(stamped(program, 1), run("openssl", "rand", "512"))
    assert cause(changed("EFI/BOOT/BOOTX64.EFI", first, other)) == "unknown"


def module(tmp_path: Path, content: bytes, name: str) -> bytes:
    """Sign CONTENT as the kernel's sign-file does: a detached PKCS#7, its size, and a magic line."""
    key, certificate = tmp_path / f"{name}.key", tmp_path / f"{name}.crt"
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=build")
    run("openssl", *new, "-keyout", key, "-out", certificate)
    plain = tmp_path / f"{name}.ko"
    plain.write_bytes(content)
    sign = ("cms", "-sign", "-binary", "-outform", "DER")
    signature = run("openssl", *sign, "-in", plain, "-signer", certificate, "-inkey", key)
    tail = struct.pack(">8xI", len(signature)) + b"~Module signature appended~\n"
    return content + signature + tail


@shows("module-signature", by="openssl")
def test_one_module_signed_with_two_keys_is_named(tmp_path: Path) -> None:
    first, second = (module(tmp_path, b"\x7fELF module", name) for name in ("a", "b"))
    assert cause(changed("usr/lib/modules/6.12/thing.ko", first, second)) == "module-signature"
    other = module(tmp_path, b"\x7fELF another", "c")
    assert cause(changed("usr/lib/modules/6.12/thing.ko", first, other)) == "unknown"


@shows("secure-boot-owner", by="cert-to-efi-sig-list")
def test_the_owner_of_a_key_is_named(tmp_path: Path) -> None:
    new = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=owner", "-keyout", "/dev/null")
    for name in ("one", "two"):
        (tmp_path / f"{name}.pem").write_bytes(run("openssl", *new))
    lists = {}
    for key, owner, certificate in (("a", "1" * 8, "one"), ("b", "2" * 8, "one"), ("c", "1" * 8, "two")):
        guid = f"{owner}-2222-3333-4444-123456789abc"
        run("cert-to-efi-sig-list", "-g", guid, tmp_path / f"{certificate}.pem", tmp_path / key)
        lists[key] = (tmp_path / key).read_bytes()
    told = finding(changed("EFI/keys/db.esl", lists["a"], lists["b"], container="vfat"))
    assert told.cause == "secure-boot-owner"
    assert cause(changed("EFI/keys/db.esl", lists["a"], lists["c"], container="vfat")) == "unknown"
    assert cause(changed("EFI/keys/db.esl", lists["a"], lists["b"][:-1], container="vfat")) == "unknown"
