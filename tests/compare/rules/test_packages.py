"""Which packages were installed, and from where."""

from pathlib import Path

from bench import cause, changed, differs, finding, run, shows, together

from ci_toolkit.compare.difference import Field


def test_a_version_in_dpkgs_records_is_an_input() -> None:
    text = "Package: thing\nStatus: install ok installed\nVersion: {}\n"
    difference = changed("var/lib/dpkg/status", text.format("1.2-3").encode(), text.format("1.2-4").encode())
    told = finding(difference)
    assert told.cause == "package-set"
    assert "[Distribution]\nSnapshot=" in told.fix


def test_a_record_of_a_package_in_one_image_only_is_an_input() -> None:
    assert cause(differs("var/lib/pacman/local/thing-1.2-3", Field.PRESENCE, "directory", None)) == "package-set"
    assert cause(differs("usr/bin/thing", Field.PRESENCE, "file", None)) == "unknown"


def test_a_changed_file_of_a_package_is_unknown() -> None:
    assert cause(changed("usr/bin/thing", b"\x7fELF one", b"\x7fELF two")) == "unknown"
    assert cause(changed("usr/share/thing/data", b"one\n", b"two\n")) == "unknown"


def test_another_mirror_is_named_and_another_suite_is_not() -> None:
    line = "deb {} {} main\n"
    before = line.format("https://one.example/debian", "trixie").encode()
    other_mirror = line.format("https://two.example/debian", "trixie").encode()
    other_suite = line.format("https://one.example/debian", "forky").encode()
    assert cause(changed("etc/apt/sources.list", before, other_mirror)) == "package-sources"
    assert cause(changed("etc/apt/sources.list", before, other_suite)) == "unknown"


def test_long_records_are_judged_by_the_versions_of_their_beginning() -> None:
    records = b"".join(b"Package: thing%d\nVersion: 1\nDescription: x\n\n" % number for number in range(9000))
    version = records.replace(b"Package: thing7\nVersion: 1", b"Package: thing7\nVersion: 2")
    other = records.replace(
        b"Package: thing7\nVersion: 1\nDescription: x", b"Package: thing7\nVersion: 1\nDescription: y"
    )
    shifted = b"Package: a\nVersion: 1\n\n" + records
    assert cause(changed("var/lib/dpkg/status", records, version)) == "package-set"
    assert cause(changed("var/lib/dpkg/status", records, other)) == "unknown"
    assert cause(changed("var/lib/dpkg/status", records, shifted)) == "unknown"


def status(root: Path, *packages: tuple[str, str]) -> bytes:
    """Let dpkg install packages (name, version), in this order, and return its record of them."""
    (root / "var/lib/dpkg/info").mkdir(parents=True)
    (root / "var/lib/dpkg/updates").mkdir()
    (root / "var/lib/dpkg/status").touch()
    for name, version in packages:
        control = root / "source" / name / "DEBIAN/control"
        control.parent.mkdir(parents=True, exist_ok=True)
        control.write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n"
        )
        run("dpkg-deb", "--build", "--root-owner-group", root / "source" / name, root / f"{name}.deb")
        run("dpkg", "--root", root, "--log", "/dev/null", "--force-not-root", "--install", root / f"{name}.deb")
    return (root / "var/lib/dpkg/status").read_bytes()


@shows("package-set", by="dpkg")
def test_another_version_in_what_dpkg_recorded_is_an_input(tmp_path: Path) -> None:
    first = status(tmp_path / "a", ("thing", "1.2-3"))
    second = status(tmp_path / "b", ("thing", "1.2-4"))
    assert cause(changed("var/lib/dpkg/status", first, second)) == "package-set"
    more = status(tmp_path / "c", ("thing", "1.2-3"), ("other", "1"))
    assert cause(changed("var/lib/dpkg/status", first, more)) == "package-set"


def sources(root: Path, address: str) -> bytes:
    """A list of sources that apt itself understands."""
    (root / "etc/apt/sources.list.d").mkdir(parents=True)
    for name in ("apt.conf.d", "preferences.d", "trusted.gpg.d"):
        (root / "etc/apt" / name).mkdir()
    path = root / "etc/apt/sources.list"
    run("tee", path, stdin=f"deb {address} trixie main\n".encode())
    asked = run("apt-get", "-o", f"Dir={root}", "-o", "Dir::State::status=/dev/null", "--print-uris", "update")
    assert f"'{address}/dists/trixie/InRelease'".encode() in asked
    return path.read_bytes()


@shows("package-sources", by="apt-get")
def test_another_mirror_of_one_suite_is_named(tmp_path: Path) -> None:
    first, second = (sources(tmp_path / name, f"http://{name}.example/debian") for name in ("one", "two"))
    assert cause(changed("etc/apt/sources.list", first, second)) == "package-sources"


@shows("snapshot-date", by="apt-get")
def test_one_mirror_of_two_days_is_named_by_that(tmp_path: Path) -> None:
    address = "http://snapshot.example/archive/debian/{}T000000Z"
    first, second = (sources(tmp_path / day, address.format(day)) for day in ("20260701", "20260702"))
    told = finding(changed("etc/apt/sources.list", first, second))
    assert told.cause == "snapshot-date"
    assert "[Distribution]\nSnapshot=" in told.fix
    arch = "Server=https://archive.example/repos/{}/$repo/os/$arch\n"
    pair = (arch.format(day).encode() for day in ("2026/07/01", "2026/07/02"))
    assert cause(changed("etc/pacman.d/mirrorlist", *pair)) == "snapshot-date"


@shows("kernel-version", by="depmod")
def test_modules_of_another_kernel_are_an_input(tmp_path: Path) -> None:
    differences = []
    for version, sides in (("6.12.1", ("directory", None)), ("6.12.2", (None, "directory"))):
        modules = tmp_path / "lib/modules" / version
        modules.mkdir(parents=True)
        run("depmod", "--basedir", tmp_path, version)
        differences.append(differs(f"usr/lib/modules/{version}", Field.PRESENCE, *sides))
        assert (modules / "modules.dep").exists()
    told = together(*differences)
    assert set(told) == {"kernel-version"}
    assert told["kernel-version"].count == 2
    assert cause(differs("usr/lib/modules/6.12.1", Field.PRESENCE, None, "file")) == "unknown"
