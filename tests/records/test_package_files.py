import shutil
import subprocess
from pathlib import Path

import pytest

from ci_toolkit.mkosi.manifest import Package
from ci_toolkit.records import package_files


def sha256sum(path: Path) -> str:
    return subprocess.run(("sha256sum", path), check=True, capture_output=True, text=True).stdout.split()[0]


def one(name: str, version: str, architecture: str) -> Package:
    return Package(name=name, version=version, architecture=architecture)


@pytest.fixture
def deb(tmp_path: Path) -> Path:
    """A package with an epoch, under the name that apt gives it."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        pytest.skip("apt-get and dpkg-deb are needed")
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN").chmod(0o755)
    (tree / "DEBIAN/control").write_text(
        "Package: small\nVersion: 1:2.0-1\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: x\n"
    )
    repository, cache = tmp_path / "repository", tmp_path / "cache"
    repository.mkdir()
    (cache / "archives/partial").mkdir(parents=True)
    (tmp_path / "lists/partial").mkdir(parents=True)
    subprocess.run(("dpkg-deb", "--build", tree, repository / "x.deb"), check=True, capture_output=True)
    listed = subprocess.run(("dpkg-deb", "--field", repository / "x.deb"), check=True, capture_output=True, text=True)
    size, digest = (repository / "x.deb").stat().st_size, sha256sum(repository / "x.deb")
    (repository / "Packages").write_text(f"{listed.stdout}Filename: ./x.deb\nSize: {size}\nSHA256: {digest}\n")
    (tmp_path / "sources").write_text(f"deb [trusted=yes] copy:{repository} ./\n")
    (tmp_path / "status").touch()
    places = {
        "Dir::Etc::SourceList": tmp_path / "sources",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Parts": "/dev/null",
        "Dir::State::Lists": tmp_path / "lists",
        "Dir::State::Status": tmp_path / "status",
        "Dir::Cache": cache,
        "APT::Sandbox::User": "root",
    }
    options = [word for name, value in places.items() for word in ("-o", f"{name}={value}")]
    for words in (("update",), ("install", "--download-only", "--yes", "small")):
        subprocess.run(("apt-get", *options, *words), check=True, capture_output=True)
    return cache


def test_a_package_has_the_digest_of_the_file_that_apt_fetched(deb: Path) -> None:
    (fetched,) = (deb / "archives").glob("*.deb")
    (found,) = package_files.look_up([one("small", "1:2.0-1", "all")], deb)
    assert (found.name, found.version, found.architecture) == ("small", "1:2.0-1", "all")
    assert found.sha256 == sha256sum(fetched)


@pytest.mark.parametrize(
    ("package", "file"),
    [
        (one("bash", "5.2-1.fc42", "x86_64"), "bash-5.2-1.fc42.x86_64.rpm"),
        (one("bind", "32:9.18-1", "noarch"), "bind-9.18-1.noarch.rpm"),
        (one("iana-etc", "1:20260101-1", "any"), "iana-etc-1:20260101-1-any.pkg.tar.zst"),
    ],
)
def test_rpm_leaves_the_epoch_out_of_the_name_and_pacman_does_not(package: Package, file: str, tmp_path: Path) -> None:
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er" / file).write_text("content")
    (found,) = package_files.look_up([package], tmp_path)
    assert found.sha256 == sha256sum(tmp_path / "deep/er" / file)


def test_of_two_files_of_one_name_that_differ_nobody_knows_which_it_was(tmp_path: Path) -> None:
    for place, content in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "x_1_all.deb").write_text(content)
        (tmp_path / place / "y_1_all.deb").write_text("same")
    x, y = package_files.look_up([one("x", "1", "all"), one("y", "1", "all")], tmp_path)
    assert x.sha256 is None
    assert y.sha256 == sha256sum(tmp_path / "a/y_1_all.deb")


def test_what_the_cache_lacks_is_listed_without_a_digest(tmp_path: Path) -> None:
    found = package_files.look_up([one("x", "1", "all"), one("../x", "/", "")], tmp_path / "none")
    assert [package.sha256 for package in found] == [None, None]


def test_a_link_in_the_cache_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "x_1_all.deb").symlink_to("/etc/passwd")
    (found,) = package_files.look_up([one("x", "1", "all")], tmp_path)
    assert found.sha256 is None
