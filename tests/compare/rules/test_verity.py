"""dm-verity, by veritysetup and openssl."""

from pathlib import Path

import pytest
from bench import cause, changed, compared, contained, differs, run, shows, together

from ci_toolkit.compare.difference import Field

FIXED = ("--uuid", "0e9a6fe0-68f6-408c-bbeb-136054d20445", "--salt", "00")


def hashes(image: Path, content: bytes, *options: str) -> str:
    """Make the hashes of CONTENT, and return the root of them as veritysetup tells it."""
    data = image.with_suffix(".data")
    data.write_bytes(content)
    told = run("veritysetup", "format", *options, data, image).decode()
    return next(line.split()[-1] for line in told.splitlines() if line.startswith("Root hash:"))


@shows("verity-salt", by="veritysetup")
def test_a_salt_that_was_drawn_is_what_all_hashes_follow_from(tmp_path: Path) -> None:
    for name in ("a", "b"):
        hashes(tmp_path / name, bytes(128 << 10))
    found = compared(tmp_path / "a", tmp_path / "b")
    assert found["verity-salt"].fix == "[Output]\nSeed=<uuid, from uuidgen>"
    assert found["verity-hash"].consequence_of == ("verity-salt",)
    assert set(found) == {"verity-salt", "verity-hash"}


@shows("verity-hash", by="veritysetup")
def test_hashes_under_one_salt_follow_from_the_data(tmp_path: Path) -> None:
    roots = [hashes(tmp_path / name, name.encode() * (128 << 10), *FIXED) for name in ("a", "b")]
    assert set(compared(tmp_path / "a", tmp_path / "b")) == {"verity-hash"}
    root = differs(("3:root-verity",), Field.HEADER, *roots, name="root_hash", container="verity")
    inside = changed(("2:root", "var/log/thing"), b"a", b"b")
    lines = (f"roothash={root} quiet\n".encode() for root in roots)
    line = changed(("1:esp", "EFI/Linux/linux.efi", ".cmdline"), *lines, container="pe")
    found = together(root, line, inside)
    assert found["verity-hash"].consequence_of == ("log-file",)
    assert found["verity-hash"].count == 2


def test_a_command_line_that_says_something_else_is_no_root_hash() -> None:
    lines = (f"roothash={'0' * 63}{end}\n".encode() for end in ("1 quiet", "2 debug"))
    assert cause(changed(("linux.efi", ".cmdline"), *lines, container="pe")) == "unknown"


REPART = """
mkdir definitions && cd definitions
echo '[Partition]\nType=root\nFormat=squashfs\nCopyFiles=/tree:/\nMinimize=best\nVerity=data\nVerityMatchKey=r' > 1.conf
echo '[Partition]\nType=root-verity\nVerity=hash\nVerityMatchKey=r\nMinimize=best' > 2.conf
echo '[Partition]\nType=root-verity-sig\nVerity=signature\nVerityMatchKey=r' > 3.conf
cd ..
build() {
    mkdir -p /tree/var/log && echo $2 > /tree/var/log/thing && find /tree -exec touch --date=@1 {} +
    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout $1.key -out $1.crt 2> /dev/null
    SOURCE_DATE_EPOCH=1 systemd-repart --offline=yes --empty=create --size=auto --definitions=$PWD/definitions \\
        --seed=0e9a6fe0-68f6-408c-bbeb-136054d20445 --private-key=$PWD/$1.key --certificate=$PWD/$1.crt $1.raw >&2
}
build a one
build b one
build c two
chmod -R a+rX .
"""


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three signed disks: "a" and "b" differ in the key alone, "c" in a file as well."""
    place = tmp_path_factory.mktemp("repart")
    contained("systemd-repart", REPART, place)
    return place


@shows("verity-signature", by="systemd-repart")
def test_two_signatures_of_one_root_hash_are_named(signed: Path) -> None:
    found = compared(signed / "a.raw", signed / "b.raw")
    assert {name for name, told in found.items() if not told.consequence_of} == {"verity-signature"}
    assert "Verity=hash" in found["verity-signature"].fix


@shows("verity-partition", by="systemd-repart")
def test_identifiers_that_are_made_of_the_root_hash_follow_from_the_data(signed: Path) -> None:
    found = compared(signed / "a.raw", signed / "c.raw")
    assert "gpt-guid" not in found
    assert "log-file" in found["verity-partition"].consequence_of
    assert "log-file" in found["verity-hash"].consequence_of
    assert found["verity-partition"].count == 2
