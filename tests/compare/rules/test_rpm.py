"""What rpm and dnf write."""

import os
import time
from pathlib import Path

import pytest
import spun
from bench import cause, changed, compared, contained, differs, finding, run, shows

from ci_toolkit.compare.difference import Field

pytestmark = pytest.mark.slow


@pytest.mark.skipif(os.geteuid() != 0, reason="rpm --root needs root")
@shows("rpm-journal", by="rpm")
def test_the_journal_of_the_database_is_taken_in(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        run("rpm", "--root", tmp_path / name, "--define", "_db_backend sqlite", "--initdb")
    (journal,) = (tmp_path / "a").rglob("rpmdb.sqlite-shm")
    name = f"usr/lib/sysimage/rpm/{journal.name}"
    told = finding(differs(name, Field.PRESENCE, "file", None))
    assert told.cause == "rpm-journal"
    assert "RemoveFiles" not in told.fix
    line = next(line for line in told.fix.splitlines() if "sqlite3" in line)
    run("sqlite3", "--version")
    run("sh", "-c", line, environment={"BUILDROOT": os.fspath(tmp_path / "a")})
    assert not journal.exists()


DNF = """
cat > thing.spec << end
Name: thing
Version: 1
Release: 1
Summary: x
License: x
BuildArch: noarch
%description
x
%files
end
rpmbuild --quiet -bb --define "_topdir $PWD/top" thing.spec >&2
for name in a b; do
    mkdir -p $name/etc && touch $name/etc/dnf.conf
    dnf --installroot=$PWD/$name --config=$PWD/$name/etc/dnf.conf --setopt=reposdir=/dev/null --releasever=1 \\
        --assumeyes --quiet install $PWD/top/RPMS/noarch/*.rpm >&2
    sleep 1
done
chmod -R a+rX .
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two trees into which dnf installed the same package, a second apart."""
    place = tmp_path_factory.mktemp("dnf")
    contained("dnf", DNF, place)
    return place / "a", place / "b"


@shows("rpm-install-time", by="dnf")
def test_times_of_installation_in_the_database_are_named(installed: tuple[Path, Path]) -> None:
    first, second = (root / "var/lib/rpm/rpmdb.sqlite" for root in installed)
    found = compared(first, second)
    assert {name for name, told in found.items() if not told.consequence_of} == {"rpm-install-time"}
    assert found["rpm-install-time"].count == 2
    other = changed(("rpmdb.sqlite", "table Packages"), b"1: (X'00')\n", b"1: (X'01')\n", container="sqlite")
    assert cause(other) == "unknown"


@shows("dnf-history", by="dnf")
def test_the_history_of_transactions_is_removed(installed: tuple[Path, Path]) -> None:
    pair = [(root / "var/lib/dnf/history.sqlite").read_bytes() for root in installed]
    told = finding(changed("usr/lib/sysimage/libdnf5/transaction_history.sqlite", *pair))
    assert told.cause == "dnf-history"
    assert "dnf5#2584" in told.fix
    table = changed(("var/lib/dnf/history.sqlite", "table trans"), b"1\n", b"2\n", container="sqlite")
    assert cause(table) == "dnf-history"


@shows("dnf-state", by="dnf")
def test_what_dnf_leaves_is_removed(installed: tuple[Path, Path]) -> None:
    left = [path.relative_to(installed[0]) for path in installed[0].glob("var/cache/dnf/*.json")]
    assert left
    for path in left:
        assert cause(differs(str(path), Field.PRESENCE, "file", None)) == "dnf-state"


@shows("rpm-build-time", by="rpmbuild")
def test_the_time_of_building_is_named_and_fixed_by_the_advised_macros(tmp_path: Path) -> None:
    first = spun.build(tmp_path / "a", "_buildhost host")
    time.sleep(1.1)
    found = compared(first, spun.build(tmp_path / "b", "_buildhost host"))
    assert found["bookkeeping"].consequence_of
    macros = [part for part in found["rpm-build-time"].fix.split('"') if part.endswith(" 1")]
    assert len(macros) == 2
    packages = []
    for name in ("c", "d"):
        packages.append(spun.build(tmp_path / name, "_buildhost host", *macros))
        time.sleep(1.1)
    assert packages[0].read_bytes() == packages[1].read_bytes()


@shows("rpm-build-host", by="rpmbuild")
def test_the_host_of_building_is_named(tmp_path: Path) -> None:
    fixed = ("use_source_date_epoch_as_buildtime 1", "clamp_mtime_to_source_date_epoch 1")
    first, second = (spun.build(tmp_path / name, *fixed, f"_buildhost {name}") for name in ("a", "b"))
    found = compared(first, second)
    assert set(found) == {"rpm-build-host", "bookkeeping", "container"}
    assert found["bookkeeping"].consequence_of == ("rpm-build-host",)
