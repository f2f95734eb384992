"""Directory trees of this machine, against find(1) and stat(1)."""

import os
import socket
from pathlib import Path

import archived
import pytest
from bench import run
from specimens import budget, content, entries

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import directory
from ci_toolkit.images.entry import Kind
from ci_toolkit.images.limits import Budget, Limits


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archived.tree(tmp_path_factory.mktemp("source") / "tree")


KINDS = {"f": Kind.FILE, "d": Kind.DIRECTORY, "l": Kind.SYMLINK, "p": Kind.FIFO, "s": Kind.SOCKET,
         "c": Kind.CHARACTER, "b": Kind.BLOCK}  # fmt: skip


def test_entries_are_what_find_prints(root: Path) -> None:
    printed = run("find", root, "-printf", r"%y %m %U %G %s %T@ %P\0%l\0")
    fields = printed.split(b"\0")[:-1]
    expected = {}
    for line, target in zip(fields[::2], fields[1::2], strict=True):
        kind, mode, uid, gid, size, time, path = os.fsdecode(line).split(" ", 6)
        seconds, _, fraction = time.partition(".")
        expected[path] = (
            KINDS[kind], int(mode, 8), int(uid), int(gid), int(size) if kind == "f" else 0,
            int(seconds) * 10**9 + int(fraction[:9].ljust(9, "0")), os.fsdecode(target) if kind == "l" else None,
        )  # fmt: skip
    found = entries(directory.read(root, budget()))
    assert {
        path: (entry.kind, entry.mode, entry.uid, entry.gid, entry.size, entry.mtime_ns, entry.target)
        for path, entry in found.items()
    } == expected


def test_entries_come_in_the_order_of_names(root: Path) -> None:
    paths = [entry.path for entry in directory.read(root, budget()).entries]
    assert paths == [
        os.fsdecode(line)
        for line in (b"", *sorted(
            (os.fsencode(path.relative_to(root)) for path in root.rglob("*")),
            key=lambda path: [os.fsdecode(step) for step in path.split(b"/")],
        ))
    ]  # fmt: skip


def test_contents_are_read(root: Path) -> None:
    for path, entry in entries(directory.read(root, budget())).items():
        if entry.kind is Kind.FILE:
            assert content(entry) == (root / path).read_bytes()


def test_device_nodes_have_their_numbers(tmp_path: Path) -> None:
    there = entries(directory.read(archived.nodes(tmp_path), budget()))
    assert (there["tty"].kind, there["tty"].device) == (Kind.CHARACTER, (4, 64))
    assert run("stat", "--format=%t %T", tmp_path / "disk").split() == [b"8", b"1"]
    assert (there["disk"].kind, there["disk"].device) == (Kind.BLOCK, (8, 1))


def test_a_socket_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "socket"))
        assert entries(directory.read(tmp_path, budget()))["socket"].kind is Kind.SOCKET


def test_attributes_are_those_that_getfattr_prints(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    try:
        os.setxattr(tmp_path / "file", "user.name", b"value")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    assert b'user.name="value"' in run("getfattr", "--dump", "--absolute-names", tmp_path / "file")
    assert dict(entries(directory.read(tmp_path, budget()))["file"].xattrs)["user.name"] == b"value"


def test_links_inside_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").touch()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/link").symlink_to(tmp_path / "outside")
    (tmp_path / "tree/ring").symlink_to(".")
    assert set(entries(directory.read(tmp_path / "tree", budget()))) == {"", "link", "ring"}


def test_a_link_to_the_tree_is_the_tree(tmp_path: Path) -> None:
    """Else two links of one target would be compared, and never what they lead to."""
    (tmp_path / "builds/7").mkdir(parents=True)
    (tmp_path / "builds/7/file").touch()
    (tmp_path / "latest").symlink_to("builds/7")
    assert set(entries(directory.read(tmp_path / "latest", budget()))) == {"", "file"}
    assert entries(directory.read(tmp_path / "latest", budget()))[""].kind is Kind.DIRECTORY


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="missing: No such file"):
        directory.read(tmp_path / "missing", budget())


def test_a_directory_that_may_not_be_listed_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed/file").touch()
    (tmp_path / "open").touch()
    (tmp_path / "closed").chmod(0)
    try:
        list((tmp_path / "closed").iterdir())
    except PermissionError:
        found = directory.read(tmp_path, budget())
    else:
        pytest.skip("root may list every directory")
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert set(entries(found)) == {"", "open"}
    assert found.skipped == (("closed", "Permission denied"),)


def test_a_file_that_became_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_text("content")
    (tmp_path / "secret").write_text("secrets")
    entry = entries(directory.read(tmp_path / "tree", budget()))["file"]
    (tmp_path / "tree/file").unlink()
    (tmp_path / "tree/file").symlink_to(tmp_path / "secret")
    with pytest.raises(UnreadableError, match="file"):
        content(entry)


def test_a_file_that_became_shorter_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    entry = entries(directory.read(tmp_path, budget()))["file"]
    (tmp_path / "file").write_text("con")
    with pytest.raises(UnreadableError, match="ends at byte 3, 4 bytes early"):
        content(entry)


def test_where_files_lie_is_charged_too(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 200) / ("e" * 200)
    deep.mkdir(parents=True)
    (deep / "file").touch()
    directory.read(tmp_path, Budget(Limits(metadata=3400 + len(str(tmp_path)))))
    with pytest.raises(UnreadableError, match="names and attributes"):
        directory.read(tmp_path, Budget(Limits(metadata=2900)))


def test_more_than_is_allowed_is_refused(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / str(number)).touch()
    assert len(directory.read(tmp_path, Budget(Limits(members=11))).entries) == 11
    with pytest.raises(UnreadableError, match="more than 10 entries in all"):
        directory.read(tmp_path, Budget(Limits(members=10)))
