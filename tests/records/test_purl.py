import pytest
import recorded

from ci_toolkit.records.purl import purl
from ci_toolkit.records.record import Installed

packageurl = pytest.importorskip("packageurl", reason="packageurl-python (`pip install --group dev`) is needed")


@pytest.mark.parametrize(
    ("distribution", "release", "name", "version", "family", "qualifiers"),
    [
        ("debian", "trixie", "libstdc++6", "14.2.0-19", "deb", {"arch": "x86_64", "distro": "debian-trixie"}),
        ("ubuntu", "noble", "login", "1:4.16~1", "deb", {"arch": "x86_64", "distro": "ubuntu-noble"}),
        ("fedora", "42", "bind", "32:9.18-1.fc42", "rpm", {"arch": "x86_64", "distro": "fedora-42", "epoch": "32"}),
        ("opensuse", "tumbleweed", "bash", "5-1", "rpm", {"arch": "x86_64", "distro": "opensuse-tumbleweed"}),
        ("arch", "rolling", "iana-etc", "1:20260101-1", "alpm", {"arch": "x86_64"}),
        ("custom", "", "Mine", "1 %@?#", "generic", {"arch": "x86_64"}),
    ],
)
def test_it_is_read_by_the_reference_reader_as_what_it_stands_for(
    distribution: str, release: str, name: str, version: str, family: str, qualifiers: dict[str, str]
) -> None:
    record = recorded.image(distribution=distribution, release=release)
    url = purl(Installed(name=name, version=version, architecture="x86_64"), record.image)
    read = packageurl.PackageURL.from_string(url)
    assert (read.type, read.name, read.qualifiers) == (family, name, qualifiers)
    assert read.namespace == (None if family == "generic" else distribution)
    assert f"{qualifiers['epoch']}:{read.version}" == version if "epoch" in qualifiers else read.version == version
    assert read.to_string() == url


@pytest.mark.parametrize("name", ["", "../x", "\udcff", "a\nb", "x" * 5000])
def test_whatever_a_package_is_called_it_is_one_printable_word(name: str) -> None:
    url = purl(Installed(name=name, version="\udcff\0", architecture="&a=b"), recorded.RECORD.image)
    assert url.isascii()
    assert url.isprintable()
    assert " " not in url
