"""Compressed files, made twice by their own programs."""

import os
from pathlib import Path

from bench import cause, changed, compared, differs, finding, run, shows

from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.explain import explain
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.walk import compare

TEXT = "".join(f"line {number}\n" for number in range(5000)).encode()


def gzip(directory: Path, name: str, stamp: int, data: bytes = TEXT) -> bytes:
    directory.mkdir()
    (directory / name).write_bytes(data)
    os.utime(directory / name, (stamp, stamp))
    run("gzip", directory / name)
    return (directory / f"{name}.gz").read_bytes()


@shows("gzip-header", by="gzip")
def test_one_stream_under_two_times_is_about_the_header(tmp_path: Path) -> None:
    difference = changed("usr/share/a.gz", gzip(tmp_path / "a", "x", 1_000_000_000), gzip(tmp_path / "b", "x", 1))
    assert cause(difference) == "gzip-header"


def test_one_stream_under_two_names_is_about_the_header(tmp_path: Path) -> None:
    difference = changed("usr/share/a.gz", gzip(tmp_path / "a", "x", 1), gzip(tmp_path / "b", "longer", 1))
    told = finding(difference)
    assert told.cause == "gzip-header"
    assert "--no-name" in told.fix


def test_gzip_files_with_other_content_are_unknown(tmp_path: Path) -> None:
    other = gzip(tmp_path / "b", "x", 2, TEXT.replace(b"line 7\n", b"line 8\n"))
    assert cause(changed("usr/share/a.gz", gzip(tmp_path / "a", "x", 1), other)) == "unknown"


def test_a_long_gzip_file_is_judged_by_its_head_and_the_count_of_bytes(tmp_path: Path) -> None:
    noise = os.urandom(300 << 10)
    first, second = gzip(tmp_path / "a", "x", 1, noise), gzip(tmp_path / "b", "x", 2, noise)
    assert cause(changed("a.gz", first, second)) == "gzip-header"
    late = second[:-20] + bytes([second[-20] ^ 1]) + second[-19:]
    assert cause(changed("a.gz", first, late)) == "unknown"


def streams(program: str, first: str, second: str, expected: str) -> None:
    data = TEXT * 3
    streams = [run(program, "-c", level, stdin=data) for level in (first, second)]
    assert cause(changed("usr/share/a", *streams)) == expected
    other = run(program, "-c", second, stdin=data + b"more")
    assert cause(changed("usr/share/a", streams[0], other)) == "unknown"


@shows("gzip-stream", by="gzip")
def test_one_payload_at_two_levels_of_gzip_is_about_the_stream() -> None:
    streams("gzip", "-1n", "-9n", "gzip-stream")


@shows("gzip-stream", by="pigz")
def test_gzip_and_pigz_write_two_streams() -> None:
    first, second = run("gzip", "-cn", stdin=TEXT * 3), run("pigz", "-cn", stdin=TEXT * 3)
    assert cause(changed("usr/share/a.gz", first, second)) == "gzip-stream"


@shows("xz-stream", by="xz")
def test_one_thread_of_xz_writes_another_stream_than_two() -> None:
    streams("xz", "--threads=1", "--threads=2", "xz-stream")


@shows("compression-stream", by="zstd")
def test_one_payload_at_two_levels_of_zstd_is_about_the_stream() -> None:
    streams("zstd", "-1", "-19", "compression-stream")


def test_one_payload_at_two_levels_of_bzip2_is_about_the_stream() -> None:
    streams("bzip2", "-1", "-9", "compression-stream")


@shows("compression-format", by="zstd")
def test_one_payload_compressed_by_two_programs_is_about_the_format(tmp_path: Path) -> None:
    for name, program in (("a", "xz"), ("b", "zstd")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "initrd.img").write_bytes(run(program, "-c", stdin=TEXT))
        os.utime(tmp_path / name / "initrd.img", (1, 1))
        os.utime(tmp_path / name, (1, 1))
    found = compared(tmp_path / "a", tmp_path / "b")
    assert "[Output]\nCompressOutput=zstd" in found["compression-format"].fix
    assert all(told.consequence_of for name, told in found.items() if name != "compression-format")


def test_a_stream_that_was_opened_and_found_equal_inside_is_about_the_stream() -> None:
    first, second = (run("xz", "-c", level, stdin=TEXT) for level in ("-0", "-6"))
    outer = changed("initrd.cpio.xz", first, second, opened=True)
    stream = changed("initrd.cpio.xz", first, second, field=Field.REGION, name="stream", container="xz")
    told = {found.cause: found for found in explain((outer, stream), Facts())}
    assert told["xz-stream"].consequence_of == ()
    assert told["container"].consequence_of == ("xz-stream",)


def test_a_stream_with_another_payload_follows_from_it() -> None:
    first, second = (run("xz", "-c", stdin=data) for data in (TEXT, TEXT + b"more"))
    outer = changed("initrd.cpio.xz", first, second, opened=True)
    stream = changed("initrd.cpio.xz", first, second, field=Field.REGION, name="stream", container="xz")
    inner = changed(("initrd.cpio.xz", "var/log/thing"), b"one", b"two", container="cpio")
    told = {found.cause: found for found in explain((outer, stream, inner), Facts())}
    assert set(told) == {"log-file", "container"}
    assert told["container"].consequence_of == ("log-file",)


def test_an_opened_gzip_file_is_about_what_its_header_tells() -> None:
    outer = changed("a.tar.gz", b"\x1f\x8b\x08one", b"\x1f\x8b\x08two", opened=True)
    header = differs("a.tar.gz", Field.HEADER, 1, 2, name="mtime", container="gzip")
    told = {found.cause: found for found in explain((outer, header), Facts())}
    assert told["container"].consequence_of == ("gzip-header",)
    level = differs("a.tar.gz", Field.HEADER, 2, 4, name="extra_flags", container="gzip")
    assert cause(level) == "gzip-stream"


def test_a_broken_stream_is_unknown() -> None:
    stream = run("xz", "-c", stdin=TEXT)
    assert cause(changed("a.xz", stream, stream[:100] + bytes(len(stream) - 100))) == "unknown"
    assert cause(changed("a.gz", b"\x1f\x8b\x08", b"\x1f\x8b\x08\x04\xff\xff")) == "unknown"


def test_a_bomb_is_not_unpacked_whole() -> None:
    zeros = bytes(40 << 20)
    streams = [run("zstd", "-c", level, stdin=zeros) for level in ("-1", "-3")]
    if streams[0] == streams[1]:
        streams[1] += streams[1]
    assert cause(changed("a.zst", *streams)) == "unknown"


def test_zip_members_compressed_in_two_ways_are_about_the_stream(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(TEXT * 3)
    for name, level in (("a", "-1"), ("b", "-9")):
        run("zip", "-q", level, f"{name}.zip", "text", cwd=tmp_path)
    found = explain(compare(tmp_path / "a.zip", tmp_path / "b.zip").differences, Facts())
    assert {told.cause for told in found if not told.consequence_of} == {"compression-stream"}
    assert all(told.consequence_of == ("compression-stream",) for told in found if told.cause != "compression-stream")


def test_zip_members_that_differ_are_compressed_to_other_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "text").write_bytes(TEXT + name.encode())
        os.utime(tmp_path / "text", (1_700_000_000, 1_700_000_000))
        run("zip", "-q", f"{name}.zip", "text", cwd=tmp_path)
    found = explain(compare(tmp_path / "a.zip", tmp_path / "b.zip").differences, Facts())
    assert {told.cause for told in found if not told.consequence_of} == {"unknown"}
    assert [told.paths for told in found if not told.consequence_of] == [("text",)]
