"""Programs, compiled twice by gcc and packed by ar."""

import time
from pathlib import Path

from bench import cause, changed, compared, differs, finding, run, shows, together

from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.host.environment import NORMAL, VARIED

SOURCE = "#include <assert.h>\nint main(int count, char **words) { assert(count != %d && words); return 0; }\n"


def compiled(directory: Path, *options: str, value: int = 9) -> bytes:
    """Compile one source in DIRECTORY, by its absolute name."""
    directory.mkdir(parents=True)
    (directory / "main.c").write_text(SOURCE % value)
    run("gcc", "-g", *options, "-c", "-o", directory / "main.o", directory / "main.c", cwd=directory)
    return (directory / "main.o").read_bytes()


def two_builds(place: Path, *, reordered: bool) -> tuple[Path, Path]:
    """Compile one source as if in two directories that put gcc's strings for debuggers in one order, or not.

    gcc itself writes the paths. Of a dozen directories some come before the file's name, some after.
    """
    orders: dict[bytes, Path] = {}
    for number in range(1, 13):
        source = place / f"{number:02}"
        program = compiled(source, f"-ffile-prefix-map={source}=/builds/{number:02}")
        order = program.replace(f"/builds/{number:02}".encode(), b"/builds/NN")
        other = next((first for known, first in orders.items() if (known != order) == reordered), None)
        if other is not None:
            return other, source / "main.o"
        orders[order] = source / "main.o"
    raise AssertionError("a dozen directories, and all in one order")


@shows("binary-build-path", by="gcc")
def test_a_program_compiled_in_two_directories_is_about_the_path(tmp_path: Path) -> None:
    paths = two_builds(tmp_path, reordered=False)
    first, second = (path.read_bytes() for path in paths)
    told = finding(changed("usr/bin/thing", first, second))
    assert told.cause == "binary-build-path"
    assert "-ffile-prefix-map=" in told.fix
    assert cause(changed("a.tar", first, second, opened=True)) == "unknown"
    other = compiled(tmp_path / "other", value=8)
    assert cause(changed("usr/bin/thing", first, other)) == "unknown"
    assert set(compared(*paths)) == {"binary-build-path", "container"}


@shows("debug-string-offset", by="gcc")
def test_strings_in_another_order_are_about_the_path_too(tmp_path: Path) -> None:
    found = compared(*two_builds(tmp_path, reordered=True))
    assert found["debug-string-offset"].consequence_of == ("binary-build-path",)
    assert set(found) == {"binary-build-path", "debug-string-offset", "container"}
    assert cause(changed(("main.o", ".rela.debug_info"), b"\0a", b"\0b", container="elf")) == "unknown"


def test_the_advised_option_makes_both_the_same(tmp_path: Path) -> None:
    first, second = (compiled(tmp_path / name, f"-ffile-prefix-map={tmp_path / name}=/usr/src") for name in ("a", "b"))
    assert first == second


def test_the_known_paths_of_the_two_builds_are_found_in_a_program() -> None:
    surroundings = Facts(first=NORMAL, second=VARIED)
    before, after = (b"\x7fELF\0" + side.build_path.encode() + b"/main.c\0" for side in (NORMAL, VARIED))
    assert cause(changed("usr/bin/thing", before, after), surroundings) == "binary-build-path"


@shows("build-id", by="gcc")
def test_the_build_id_follows_from_what_differs(tmp_path: Path) -> None:
    identifiers = []
    for name in ("a", "b"):
        (tmp_path / f"{name}.c").write_text(f'const char *name = "{name}"; int main(void) {{ return *name; }}\n')
        run("gcc", "-Wl,--build-id=sha1", "-o", tmp_path / name, tmp_path / f"{name}.c")
        run("objcopy", "-O", "binary", "--only-section=.note.gnu.build-id", tmp_path / name, tmp_path / f"{name}.id")
        identifiers.append((tmp_path / f"{name}.id").read_bytes())
    inside = ("usr/bin/thing", ".note.gnu.build-id")
    note = changed(inside, *identifiers, container="elf")
    text = changed(("usr/bin/thing", ".comment"), b"GCC: (Debian 1) 1\0", b"GCC: (Debian 2) 2\0", container="elf")
    assert together(note, text)["build-id"].consequence_of == ("tool-version",)
    assert cause(note) == "unknown"
    fact = differs("usr/bin/thing", Field.HEADER, "one", "two", name="build_id", container="elf")
    assert together(fact, text)["build-id"].consequence_of == ("tool-version",)


@shows("ar-symbol-time", by="ar")
def test_the_table_of_symbols_has_the_time_of_packing(tmp_path: Path) -> None:
    compiled(tmp_path / "source")
    for name in ("a", "b"):
        run("ar", "rcU", tmp_path / f"{name}.a", tmp_path / "source/main.o")
        time.sleep(1.01 if name == "a" else 0)
    assert "ranlib -D" in compared(tmp_path / "a.a", tmp_path / "b.a")["ar-symbol-time"].fix
    for name in ("c", "d"):
        run("ar", "rcsD", tmp_path / f"{name}.a", tmp_path / "source/main.o")
    assert (tmp_path / "c.a").read_bytes() == (tmp_path / "d.a").read_bytes()
