"""Lists of files, as bsdtar reads them."""

import gzip
import os
import random
import re
import tracemalloc
from pathlib import Path

import hostile
import pytest
from bench import run

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import listing, mtree
from ci_toolkit.images.entry import Kind
from ci_toolkit.images.listing import LIMIT_FILES, Listed

FILES = (
    Listed("2:root/etc/passwd", Kind.FILE, 1_234),
    Listed("2:root/etc/with blank, #hash = \\ \t\n*?[", Kind.FILE, 7),
    Listed("2:root/etc/\udcff\udc80 \u00fc", Kind.FILE, 0),
    Listed("2:root/dev/null", Kind.CHARACTER, 0),
    Listed("2:root/link", Kind.SYMLINK, 0),
    Listed("2:root/pipe", Kind.FIFO, 0),
)


def test_bsdtar_reads_the_same_names_kinds_and_sizes(tmp_path: Path) -> None:
    file = tmp_path / "list.mtree.gz"
    file.write_bytes(mtree.render(FILES))
    # It writes what it reads as an archive of another kind, from which tar tells.
    (tmp_path / "a.cpio").write_bytes(run("bsdtar", "-c", "-f", "-", "--format=newc", f"@{file}"))
    names = run("cpio", "--list", "--null", "--quiet", "-F", tmp_path / "a.cpio").replace(b"\0", b"\n")
    assert len(names.splitlines()) >= len(FILES)
    shown = run("bsdtar", "-t", "-v", "-f", file).decode("utf-8", "surrogateescape").splitlines()
    assert [(line[0], int(line.split()[4])) for line in shown if "null" not in line] == [
        ("-", 1_234), ("-", 7), ("-", 0), ("l", 0), ("p", 0),
    ]  # fmt: skip


def test_what_is_written_is_read_again_and_always_the_same() -> None:
    assert mtree.parse(mtree.render(FILES)) == tuple(sorted(FILES))
    assert mtree.render(FILES) == mtree.render(FILES)
    assert mtree.parse(mtree.render(())) == ()


@pytest.mark.parametrize("name", hostile.NAMES, ids=lambda name: ascii(name)[:24])
def test_any_name_stays_on_its_line(name: str) -> None:
    path = f"a/{name}"
    text = gzip.decompress(mtree.render([Listed(path, Kind.FILE, 1)]))
    assert re.fullmatch(rb"#mtree\n\./[!-~]+ type=file size=1\n", text)
    (found,) = mtree.parse(gzip.compress(text))
    assert listing.raw(found.path) == listing.raw(path)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"hello",
        b"./a type=file size=1\n",
        b"#mtree\n./a type=file size=-1\n",
        b"#mtree\n./a type=file size=1" + b"0" * 30 + b"\n",
        b"#mtree\n./a type=door\n",
        b"#mtree\na type=file\n",
        b"#mtree\n./a b type=file\n",
        b"#mtree\n./\x1b[31m type=file\n",
        b"#mtree\n/set type=file\n",
        b"#mtree\n./a type=file mode=644\n",
    ],
)
def test_another_text_is_refused(text: bytes) -> None:
    with pytest.raises(UnreadableError, match="not ours"):
        mtree.parse(gzip.compress(text))


def test_what_is_damaged_or_cut_is_refused() -> None:
    whole = mtree.render(FILES)
    for data in (b"", whole[:-9], whole[:5], b"\x1f\x8b\x08" + os.urandom(50), b"PK" + whole):
        with pytest.raises(UnreadableError):
            mtree.parse(data)


def test_a_bomb_is_refused_without_filling_the_memory() -> None:
    bomb = gzip.compress(b"#mtree\n" + bytes(200 << 20), 1)
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableError, match="larger than 64 MiB"):
            mtree.parse(bomb)
        assert tracemalloc.get_traced_memory()[1] < 200 << 20
    finally:
        tracemalloc.stop()


def test_more_lines_than_images_have_files_are_refused() -> None:
    with pytest.raises(UnreadableError, match="more than 250,000"):
        mtree.parse(gzip.compress(b"#mtree\n" + b"./a type=link\n" * (LIMIT_FILES + 1)))
    with pytest.raises(UnreadableError, match="more than 5 lines"):
        mtree.parse(mtree.render(FILES), 5)


def test_a_list_that_was_damaged_is_read_or_refused() -> None:
    chance = random.Random(1)
    text = gzip.decompress(mtree.render(FILES))
    refused = 0
    for data in (text, mtree.render(FILES)):
        for _ in range(500):
            damaged = bytearray(data)
            for _ in range(chance.randint(1, 3)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            try:
                mtree.parse(gzip.compress(damaged) if data is text else bytes(damaged))
            except UnreadableError:
                refused += 1
    assert 0 < refused < 1_000
