"""For the tests of RPM: packages made by rpmbuild."""

from pathlib import Path

from bench import run

SPEC = """\
Name: thing
Version: 1.5
Release: 2
Epoch: 3
Summary: größe
License: MIT
BuildArch: noarch
Requires: sh >= 1, other
%description
Text of
two lines.
%install
mkdir -p %{buildroot}/opt/d
printf '%{?content}%{!?content:content}' > %{buildroot}/opt/d/file
ln -s file %{buildroot}/opt/d/link
touch %{buildroot}/opt/d/empty
%post
echo post
%files
%attr(640, root, mail) /opt/d/file
/opt/d/link
%config /opt/d/empty
%changelog
* Mon Jan 01 2024 A <a@example.org> - 1
- first
"""
EPOCH = 1_700_000_000


def build(place: Path, *macros: str) -> Path:
    """Build a package in PLACE; MACROS are names and values: "_buildhost x"."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "thing.spec").write_text(SPEC)
    # Without a place for its database, rpm makes a home for it.
    given = [word for macro in (f"_topdir {place}/top", f"_dbpath {place}/db", *macros) for word in ("--define", macro)]
    run("rpmbuild", "-bb", "--quiet", *given, place / "thing.spec", environment={"SOURCE_DATE_EPOCH": str(EPOCH)})
    (package,) = (place / "top/RPMS").rglob("*.rpm")
    return package
