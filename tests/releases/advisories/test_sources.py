"""What packages were built from, by the word of dpkg."""

import os
from pathlib import Path

import pytest
from bench import run
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.releases.advisories import sources
from ci_toolkit.releases.advisories.sources import Source

FORM = "${db:Status-Status}\t${Package}\t${source:Package}\t${source:Version}\n"
STATUS = """\
Package: libssl3t64
Status: install ok installed
Source: openssl
Version: 3.5.9-1~deb13u1
Comment: a field whose second line looks like another one
 Source: sslscan

Package: libgcc-s1
Status: install ok installed
Source: gcc-14
Version: 14.2.0-19
Multi-Arch: same

Package: cpp
Status: install ok installed
Source: gcc-defaults (1.220)
Version: 4:14.2.0-1

Package: linux-image-cloud-amd64
Status: install ok installed
Source: linux-signed-amd64 (6.12.118+1)
Version: 6.12.118-1

Package: attr
Status: install ok installed
Version: 1:2.5.2-3+b1
Source: attr (1:2.5.2-3)

Package: zlib1g
Status: hold ok installed
Source: zlib
Version: 1:1.3-1

Package: gone
Status: deinstall ok config-files
Version: 1-1

Package: bare
Status: install ok installed
Version: 2-1
"""

# What dpkg misses otherwise.
REST = "Architecture: amd64\nMaintainer: nobody\nDescription: none\n"


def asked(directory: Path) -> dict[str, Source]:
    """What dpkg-query says of the list in DIRECTORY."""
    lines = run("dpkg-query", f"--admindir={directory}", "--show", f"--showformat={FORM}").decode().splitlines()
    rows = [line.split("\t") for line in lines]
    return {row[1]: Source(name=row[2], version=row[3]) for row in rows if row[0] == "installed"}


def test_a_list_is_read_as_dpkg_reads_it(tmp_path: Path) -> None:
    (tmp_path / "status").write_text(STATUS.replace("Status: ", f"{REST}Status: "), encoding="utf-8")
    (tmp_path / "updates").mkdir()
    expected = asked(tmp_path)
    assert expected["libssl3t64"] == Source(name="openssl", version="3.5.9-1~deb13u1")
    assert sources.parse((tmp_path / "status").read_bytes()) == expected


def test_the_list_of_this_machine_is_read_as_dpkg_reads_it() -> None:
    list_here = Path("/") / sources.PATH
    if not list_here.is_file():
        pytest.skip("this is no Debian")
    found = sources.parse(list_here.read_bytes())
    assert len(found) > 50
    assert found == asked(list_here.parent)


@pytest.mark.parametrize(
    ("package", "version", "source"),
    [
        ("libssl3t64", "3.5.9-1~deb13u1", "openssl"),
        ("libgcc-s1", "14.2.0-19", "gcc-14"),
        ("attr", "1:2.5.2-3+b1", "attr"),
        ("bare", "2-1", "bare"),
        ("linux-image-cloud-amd64", "6.12.118-1", "linux"),
        ("cpp", "4:14.2.0-1", None),
        ("gone", "1-1", None),
        ("other", "1-1", None),
    ],
)
def test_a_package_goes_by_its_source_where_both_have_one_version(
    package: str, version: str, source: str | None
) -> None:
    assert sources.tracked(package, version, sources.parse(STATUS.encode())) == source


@given(st.binary() | st.lists(st.sampled_from(STATUS.encode().splitlines(keepends=True))).map(b"".join))
def test_bytes_of_any_kind_are_no_traceback(data: bytes) -> None:
    assert all(name and source.name for name, source in sources.parse(data).items())


def test_a_list_of_very_odd_lines_takes_no_time() -> None:
    odd = (b"Version: x" + b" " * 1_000_000 + b"x\n", b"Source: " + b"(" * 1_000_000 + b"\n", os.urandom(1_000_000))
    assert sources.parse(b"".join(odd)) == {}
