"""Indexes, as the programs that compile them write them."""

import os
import shutil
import struct
from pathlib import Path

import bench
import pytest
from bench import cause, changed, finding, run, shows


def named(expected: str, path: str, before: bytes, after: bytes) -> None:
    """Check the cause, that a script makes it again, and that nothing else at its place is taken for it."""
    told = finding(changed(path, before, after))
    assert told.cause == expected
    assert told.fix.startswith("# in mkosi.finalize\nmkosi-chroot ") or "for kernel in" in told.fix
    assert cause(changed(path, b"one", b"two")) == "unknown"
    assert cause(changed(f"opt/{path}", before, after)) != expected


def library() -> Path:
    found = next((path for path in Path("/usr/lib").glob("*/libc.so.6")), None)
    if found is None:
        pytest.skip("no C library was found to copy")
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="ldconfig -r needs root")
@shows("linker-cache", by="ldconfig")
def test_a_cache_of_other_libraries_was_made_at_another_moment(tmp_path: Path) -> None:
    caches = []
    for name in ("a", "b"):
        root = tmp_path / name
        for directory in ("etc", "lib"):
            (root / directory).mkdir(parents=True)
        (root / "etc/ld.so.conf").write_text("/lib\n")
        if name == "a":
            shutil.copy(library(), root / "lib/libc.so.6")
        run("ldconfig", "-r", root)
        caches.append((root / "etc/ld.so.cache").read_bytes())
    named("linker-cache", "etc/ld.so.cache", *caches)


@shows("module-index", by="depmod")
def test_an_index_of_other_modules_was_made_at_another_moment(tmp_path: Path) -> None:
    indexes = []
    for name, aliases in (("a", "alias one thing\n"), ("b", "")):
        modules = tmp_path / name / "lib/modules/6.12.1"
        modules.mkdir(parents=True)
        (modules / "modules.builtin").write_text("kernel/one.ko\n" if aliases else "kernel/two.ko\n")
        run("depmod", "--basedir", tmp_path / name, "6.12.1")
        indexes.append((modules / "modules.builtin.bin").read_bytes())
    named("module-index", "usr/lib/modules/6.12.1/modules.builtin.bin", *indexes)


CATALOG = "-- {}\nSubject: a message\n\nIt says @MESSAGE@.\n"


@shows("journal-catalog", by="journalctl")
def test_a_catalogue_of_other_messages_was_compiled_at_another_moment(tmp_path: Path) -> None:
    databases = []
    for name in ("a", "b"):
        for directory in ("usr/lib/systemd/catalog", "var/lib/systemd/catalog"):
            (tmp_path / name / directory).mkdir(parents=True)
        for number in ("1", "2") if name == "a" else ("1",):
            catalog = tmp_path / name / f"usr/lib/systemd/catalog/{number}.catalog"
            catalog.write_text(CATALOG.format(number * 32))
        run("journalctl", "--update-catalog", f"--root={tmp_path / name}")
        databases.append((tmp_path / name / "var/lib/systemd/catalog/database").read_bytes())
    named("journal-catalog", "var/lib/systemd/catalog/database", *databases)


def hwdb(root: Path, text: str = "usb:v1234*\n ID_VENDOR_FROM_DATABASE=Thing\n") -> bytes:
    for directory in ("lib/udev/hwdb.d", "usr/lib/udev/hwdb.d", "etc/udev"):
        (root / directory).mkdir(parents=True)
    (root / "lib/udev/hwdb.d/20-thing.hwdb").write_text(text)
    (root / "usr/lib/udev/hwdb.d/20-thing.hwdb").write_text(text)
    run("systemd-hwdb", "update", "--usr", f"--root={root}")
    return next(root.rglob("hwdb.bin")).read_bytes()


@shows("hwdb", by="systemd-hwdb")
def test_a_database_of_hardware_names_the_root_that_it_was_made_in(tmp_path: Path) -> None:
    first, second = hwdb(tmp_path / "a"), hwdb(tmp_path / "another")
    assert os.fsencode(tmp_path) in first
    told = finding(changed("usr/lib/udev/hwdb.bin", first, second))
    assert told.cause == "hwdb"
    assert told.fix.startswith("[Content]\nRemoveFiles=/usr/lib/udev/hwdb.bin\n")
    other = hwdb(tmp_path / "b", "usb:v1234*\n ID_MODEL=Other\n ID_VENDOR_FROM_DATABASE=Thing\n")
    assert cause(changed("usr/lib/udev/hwdb.bin", first, other)) == "unknown"


@shows("locale-archive", by="localedef")
@pytest.mark.slow
def test_locales_that_were_added_in_another_order_lie_in_other_places(tmp_path: Path) -> None:
    if not Path("/usr/share/i18n/locales/en_GB").exists():
        pytest.skip("the sources of locales are not installed")
    archives = []
    for name, locales in (("a", ("en_GB", "C")), ("b", ("C", "en_GB")), ("c", ("C",))):
        (tmp_path / name / "usr/lib/locale").mkdir(parents=True)
        for locale in locales:
            run("localedef", f"--prefix={tmp_path / name}", "-i", locale, "-f", "UTF-8", f"{locale}.UTF-8")
        archives.append((tmp_path / name / "usr/lib/locale/locale-archive").read_bytes())
    path = "usr/lib/locale/locale-archive"
    assert struct.unpack_from("<I", archives[0]) == (0xDE020109,)
    told = finding(changed(path, archives[0], archives[1]))
    assert told.cause == "locale-archive"
    assert "[Content]\nLocale=C.UTF-8" in told.fix
    assert cause(changed(path, archives[0], archives[2])) == "unknown"


THEME = "[Icon Theme]\nName=x\nDirectories=16x16/apps\n[16x16/apps]\nSize=16\n"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16"/>'


@shows("icon-cache", by="gtk-update-icon-cache")
def test_an_index_of_other_icons_was_made_at_another_moment(tmp_path: Path) -> None:
    caches = []
    for name in ("a", "b"):
        (tmp_path / name / "16x16/apps").mkdir(parents=True)
        (tmp_path / name / "index.theme").write_text(THEME)
        (tmp_path / name / f"16x16/apps/{name}.svg").write_text(SVG)
        run("gtk-update-icon-cache", "--force", "--quiet", tmp_path / name)
        caches.append((tmp_path / name / "icon-theme.cache").read_bytes())
    named("icon-cache", "usr/share/icons/hicolor/icon-theme.cache", *caches)


MIME = """<?xml version="1.0"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
<mime-type type="application/x-{0}"><comment>{0}</comment><glob pattern="*.{0}"/></mime-type></mime-info>
"""


@shows("mime-cache", by="update-mime-database")
def test_a_database_of_other_types_was_made_at_another_moment(tmp_path: Path) -> None:
    caches = []
    for name in ("a", "b"):
        (tmp_path / name / "packages").mkdir(parents=True)
        (tmp_path / name / "packages/thing.xml").write_text(MIME.format(name))
        run("update-mime-database", tmp_path / name)
        caches.append((tmp_path / name / "mime.cache").read_bytes())
    named("mime-cache", "usr/share/mime/mime.cache", *caches)


SCHEMA = """<schemalist><schema id="org.{0}" path="/org/{0}/"><key name="k" type="s"><default>'v'</default></key>
</schema></schemalist>"""


@shows("schema-cache", by="glib-compile-schemas")
def test_other_schemas_were_compiled_at_another_moment(tmp_path: Path) -> None:
    caches = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thing.gschema.xml").write_text(SCHEMA.format(name))
        run("glib-compile-schemas", tmp_path / name)
        caches.append((tmp_path / name / "gschemas.compiled").read_bytes())
    named("schema-cache", "usr/share/glib-2.0/schemas/gschemas.compiled", *caches)


def loaders() -> tuple[Path, list[Path]]:
    """The program that lists the loaders of gdk-pixbuf, and two of them; both lie below the architecture's name."""
    place = next((path for path in Path("/usr/lib").glob("*/gdk-pixbuf-2.0")), Path("/nonexistent"))
    found = sorted(place.glob("*/loaders/*.so"))[:2]
    if not found or not (place / "gdk-pixbuf-query-loaders").exists():
        pytest.skip("gdk-pixbuf-query-loaders or its loaders are not installed")
    return place / "gdk-pixbuf-query-loaders", found


@shows("module-list", by="gdk-pixbuf-query-loaders")
def test_a_list_of_loaders_has_the_paths_that_its_tool_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, modules = loaders()
    monkeypatch.setattr("bench.PATH", f"{program.parent}{os.pathsep}{bench.PATH}")
    lists = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        copies = [shutil.copy(module, tmp_path / name) for module in modules]
        lists.append(run(program.name, *copies))
    path = "usr/lib/x86_64-linux-gnu/gdk-pixbuf-2.0/2.10.0/loaders.cache"
    told = finding(changed(path, *lists))
    assert told.cause == "module-list"
    assert "gdk-pixbuf-query-loaders --update-cache" in told.fix
    assert cause(changed(path, lists[0], lists[1] + b'"more.so"\n')) == "unknown"
