"""Names that mktemp and its kin draw, in what was made in them."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from bench import cause, changed, finding, run, shows


def directories(program: str) -> list[str]:
    """Two names below /tmp, as PROGRAM draws them."""
    call = {
        "mktemp": ("mktemp", "--dry-run", "--tmpdir=/tmp"),
        "mktemp -t": ("mktemp", "--dry-run", "--tmpdir=/tmp", "dracut.XXXXXX"),
        "python": (sys.executable, "-c", "import tempfile; print(tempfile.mktemp(dir='/tmp'))"),
    }[program]
    names: list[str] = []
    while len(names) < 2:
        name = run(*call).decode().strip()
        # Of Python's, one in twenty is a word as far as anybody can tell.
        names += [name] if not name.removeprefix("/tmp/").isalpha() else []
    return names


@pytest.mark.parametrize("program", ["mktemp", "mktemp -t", "python"])
@shows("temporary-path", by="mktemp")
def test_names_that_differ_only_below_tmp_are_temporary(program: str) -> None:
    run("mktemp", "--dry-run")
    first, second = directories(program)
    told = finding(changed("etc/made", f"from {first}/file\n".encode(), f"from {second}/file\n".encode()))
    assert told.cause == "temporary-path"
    assert cause(changed("etc/made", f"from {first}/a\n".encode(), f"from {second}/b\n".encode())) == "unknown"


def test_names_with_any_of_the_characters_that_are_drawn_are_temporary() -> None:
    for first, second in (
        ("tmpab_cd3fg", "tmpx9_yzab_"),
        ("tmp.QPPm5zkD1A", "tmp.0aB_cdefgh"),
        ("x-4bC9zz.log", "x-Q0_1zz.log"),
    ):
        assert cause(changed("a", f"in /tmp/{first}\n".encode(), f"in /tmp/{second}\n".encode())) == "temporary-path"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("/tmp/one", "/tmp/two"),
        ("/tmp/stable", "/tmp/custom"),
        ("/tmp/abcdef12", "/tmp/abcdef123"),
        ("/usr/tmp.0123456789", "/usr/tmp.abcdefghij"),
        ("/tmp/thing-1.2", "/tmp/thing-1.3"),
    ],
)
def test_other_names_are_not(before: str, after: str) -> None:
    assert cause(changed("etc/made", before.encode(), after.encode())) == "unknown"


@pytest.mark.skipif(os.geteuid() != 0, reason="dracut needs root")
@shows("dracut-parameters", by="dracut")
@pytest.mark.slow
def test_dracut_keeps_the_directory_that_it_was_given(tmp_path: Path) -> None:
    parameters = []
    for name in ("a", "b"):
        given = run("mktemp", "--directory", "--tmpdir=/tmp").decode().strip()
        (Path(given) / "file").touch()
        options = ("--no-hostonly", "--no-kernel", "--modules", "base", "--reproducible", "--no-compress")
        image = tmp_path / f"{name}.img"
        run("dracut", "--quiet", "--force", *options, "--include", given, "/", image, "6.12.1")
        shutil.rmtree(given)
        found = run("cpio", "--quiet", "-i", "--to-stdout", "*build-parameter.txt", stdin=image.read_bytes())
        parameters.append(found.replace(os.fsencode(image), b"image"))
    path = ("1:esp", "EFI/Linux/linux.efi", ".initrd", "usr/lib/dracut/build-parameter.txt")
    told = finding(changed(path, *parameters, container="cpio"))
    assert told.cause == "dracut-parameters"
    assert "dracut-ng 111" in told.fix
