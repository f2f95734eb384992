"""Caches, as the programs that keep them write them."""

import os
import sys
import time
from pathlib import Path

import pytest
from bench import cause, changed, differs, finding, run, shows

from ci_toolkit.compare.difference import Difference, Field

AUX_CACHE = "var/cache/ldconfig/aux-cache"


def aux_cache(root: Path) -> bytes:
    """Let ldconfig look at one library in a small tree of its own."""
    for directory in ("etc", "lib", "var/cache/ldconfig"):
        (root / directory).mkdir(parents=True)
    (root / "etc/ld.so.conf").write_text("/lib\n")
    library = next((path for path in Path("/usr/lib").glob("*/libc.so.6")), None)
    if library is None:
        pytest.skip("no C library was found to copy")
    (root / "lib/libc.so.6").write_bytes(library.read_bytes())
    run("ldconfig", "-r", root)
    written = (root / AUX_CACHE).read_bytes()
    assert b"libc.so.6" in written
    return written


@pytest.fixture(scope="module")
def aux_caches(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    if os.geteuid() != 0:
        pytest.skip("ldconfig -r needs root")
    first = aux_cache(tmp_path_factory.mktemp("a"))
    time.sleep(1.01)  # it keeps whole seconds
    return first, aux_cache(tmp_path_factory.mktemp("b"))


@shows("ldconfig-cache", by="ldconfig")
def test_the_auxiliary_cache_of_ldconfig_is_removed(aux_caches: tuple[bytes, bytes]) -> None:
    told = finding(changed(AUX_CACHE, *aux_caches))
    assert told.cause == "ldconfig-cache"
    assert told.fix == f"[Content]\nRemoveFiles=/{AUX_CACHE}"


def test_the_fix_says_which_of_two_configurations_it_belongs_into(aux_caches: tuple[bytes, bytes]) -> None:
    told = finding(changed(("1:esp", "EFI/Linux/a.efi", ".initrd", AUX_CACHE), *aux_caches, container="cpio"))
    assert told.cause == "ldconfig-cache"
    assert "mkosi.initrd.conf" in told.fix


def test_the_cache_that_programs_are_linked_by_is_not_the_auxiliary_one(aux_caches: tuple[bytes, bytes]) -> None:
    assert cause(changed("etc/ld.so.cache", *aux_caches)) == "unknown"


def test_something_else_at_the_place_of_the_cache_is_unknown() -> None:
    assert cause(changed(AUX_CACHE, b"one", b"two")) == "unknown"


def compiled(directory: Path, text: str, stamp: int, *more: str) -> bytes:
    directory.mkdir()
    source = directory / "module.py"
    source.write_text(text)
    os.utime(source, (stamp, stamp))
    run(sys.executable, "-m", "compileall", "-q", "-d", "/usr/lib/python3", *more, directory)
    return next(directory.glob("__pycache__/*.pyc")).read_bytes()


def pyc(before: bytes, after: bytes) -> Difference:
    return changed("usr/lib/python3/__pycache__/module.cpython-311.pyc", before, after)


@shows("pyc", by=sys.executable)
def test_byte_code_of_one_source_at_two_times_is_named(tmp_path: Path) -> None:
    text = "def call():\n    return 'value'\n"
    told = finding(pyc(compiled(tmp_path / "a", text, 1_000_000_000), compiled(tmp_path / "b", text, 1_000_000_001)))
    assert told.cause == "pyc"
    assert "[Build]\nEnvironment=PYTHONDONTWRITEBYTECODE=1" in told.fix


def test_byte_code_of_another_source_is_unknown(tmp_path: Path) -> None:
    before = compiled(tmp_path / "a", "VALUE = 'one'\n", 1_000_000_000)
    after = compiled(tmp_path / "b", "VALUE = 'two'\n", 1_000_000_001)
    assert cause(pyc(before, after)) == "unknown"


def test_byte_code_that_is_checked_by_a_hash_has_no_time(tmp_path: Path) -> None:
    mode = "--invalidation-mode=checked-hash"
    before = compiled(tmp_path / "a", "VALUE = 1\n", 1_000_000_000, mode)
    after = compiled(tmp_path / "b", "VALUE = 2\n", 1_000_000_000, mode)
    assert cause(pyc(before, after)) == "unknown"


@shows("man-cache", by="mandb")
def test_the_index_of_mandb_is_removed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "man1").mkdir(parents=True)
        (tmp_path / name / "man1/thing.1").write_text(".TH THING 1\n.SH NAME\nthing \\- a thing\n")
        os.utime(tmp_path / name / "man1/thing.1", (1_700_000_000, 1_700_000_000 + ord(name)))
    lines = [f"MANDB_MAP {tmp_path / name} {tmp_path / name}-cache\n" for name in ("a", "b")]
    (tmp_path / "config").write_text("".join(lines))
    for name in ("a", "b"):
        run("mandb", "--quiet", "--create", "--config-file", tmp_path / "config", tmp_path / name)
    pair = [(tmp_path / f"{name}-cache/index.db").read_bytes() for name in ("a", "b")]
    told = finding(changed("var/cache/man/index.db", *pair))
    assert told.cause == "man-cache"
    assert told.fix == "[Content]\nRemoveFiles=/var/cache/man"
    assert cause(changed("var/cache/man/index.db", b"one", b"two")) == "unknown"


FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{0}/fonts</dir><cachedir>{0}/cache</cachedir></fontconfig>
"""


@shows("font-cache", by="fc-cache")
@pytest.mark.slow
def test_the_cache_of_fontconfig_is_removed(tmp_path: Path) -> None:
    pair = []
    for name in ("a", "b"):
        root = tmp_path / name
        (root / "fonts").mkdir(parents=True)
        os.utime(root / "fonts", (1_700_000_000, 1_700_000_000 + ord(name)))
        (root / "fonts.conf").write_text(FONTS.format(root))
        run("fc-cache", "--force", environment={"FONTCONFIG_FILE": os.fspath(root / "fonts.conf")})
        pair.append(next((root / "cache").glob("*.cache-*")).read_bytes())
    path = "var/cache/fontconfig/3830d5c3ddfd5cd38a049b759396e72e-le64.cache-7"
    assert cause(changed(path, *pair)) == "font-cache"
    assert "RemoveFiles=/var/cache/fontconfig\n" in finding(changed(path, *pair)).fix
    assert cause(changed(path, b"one", b"two")) == "unknown"


@shows("java-keystore", by="keytool")
def test_a_key_store_of_java_has_the_time_of_each_entry(tmp_path: Path) -> None:
    new = ("req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=thing", "-keyout", "/dev/null")
    (tmp_path / "thing.crt").write_bytes(run("openssl", *new))
    pair = []
    for name in ("a", "b"):
        add = ("-importcert", "-noprompt", "-alias", "thing", "-storepass", "changeit", "-storetype", "JKS")
        run("keytool", *add, "-file", tmp_path / "thing.crt", "-keystore", tmp_path / name)
        pair.append((tmp_path / name).read_bytes())
    told = finding(changed("etc/ssl/certs/java/cacerts", *pair))
    assert told.cause == "java-keystore"
    assert "RemoveFiles=/etc/ssl/certs/java/cacerts" in told.fix
    assert cause(changed("etc/ssl/certs/java/cacerts", b"one", b"two")) == "unknown"


@shows("appstream-cache", by="xb-tool")
def test_the_compiled_catalogues_of_appstream_are_removed(tmp_path: Path) -> None:
    pair = []
    for name in ("a", "b"):
        (tmp_path / f"{name}.xml").write_text(f"<components><component><id>{name}</id></component></components>")
        run("xb-tool", "compile", tmp_path / f"{name}.xb", tmp_path / f"{name}.xml")
        pair.append((tmp_path / f"{name}.xb").read_bytes())
    assert cause(changed("var/cache/swcatalog/cache/C-os-catalog.xb", *pair)) == "appstream-cache"
    assert cause(changed("var/cache/swcatalog/cache/C-os-catalog.xb", b"one", b"two")) == "unknown"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("var/cache/man/index.db", "man-cache"),
        ("usr/share/fonts/truetype/.uuid", "font-cache"),
        ("var/cache/swcatalog/cache/C-os.xb", "appstream-cache"),
        ("var/cache/apt/pkgcache.bin", "apt-cache"),
        ("root/.cache/pip/thing", "tool-cache"),
        ("root/.cacheless", "unknown"),
        ("var/cache/apt/archives/thing.deb", "unknown"),
    ],
)
def test_a_cache_that_one_image_lacks_is_known_by_its_place(name: str, expected: str) -> None:
    assert cause(differs(name, Field.PRESENCE, None, "file")) == expected


def test_a_cache_that_became_a_link_is_unknown() -> None:
    difference = differs("var/cache/man/index.db", Field.KIND, "file", "symlink")
    assert cause(difference) == "unknown"
