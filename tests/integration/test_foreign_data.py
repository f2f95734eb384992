"""The pairs of files that Debian's source package of diffoscope is tested with: all kinds, made by many programs."""

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_toolkit.compare import explain, walk
from ci_toolkit.compare.comparison import Verdict
from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.reports import json, markdown, terminal
from ci_toolkit.reports.html import page
from ci_toolkit.reports.report import Report

pytestmark = pytest.mark.integration

# What the name of a pair's first file ends with, and the format that it has to be taken for.
STRUCTURED = {
    "archive1.tar": "tar",
    "bug881937_1.deb": "ar",
    "test1.a": "ar",
    "test1.apk": "zip",
    "test1.deb": "ar",
    "test1.debsrc.tar.gz": "gzip",
    "test1.bz2": "bzip2",
    "test1.docx": "zip",
    "test1.exe": "pe",
    "test1.ext4": "ext4",
    "test1.fat12": "vfat",
    "test1.gz": "gzip",
    "test1.iso": "iso9660",
    "test1.lz4": "lz4",
    "test1.o": "elf",
    "test1.pyc-renamed": "pyc",
    "test1.rlib": "ar",
    "test1.sqlite3": "sqlite",
    "test1.squashfs": "squashfs",
    "test1.tar": "tar",
    "test1.xz": "xz",
    "test1.zip": "zip",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test data, unpacked from the source package, which apt verifies."""
    for program in ("apt-get", "tar", "xz"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    place = tmp_path_factory.mktemp("source")
    (place / "lists" / "partial").mkdir(parents=True)
    (place / "archives" / "partial").mkdir(parents=True)
    sources = place / "source.list"
    sources.write_text("".join(_source_entries()), encoding="utf-8")
    options = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": place / "lists",
        "Dir::Cache::Archives": place / "archives",
        "APT::Sandbox::User": "root",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    for command in (("update",), ("source", "--download-only", "diffoscope")):
        done = subprocess.run(
            ("apt-get", "-q", *words, *command), cwd=place, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            pytest.skip(f"the source package diffoscope cannot be had: {done.stderr.strip().splitlines()[-1:]}")
    archive = next(place.glob("diffoscope_*.tar.xz"))
    subprocess.run(("tar", "--extract", f"--directory={place}", f"--file={archive}"), check=True)
    return next(place.glob("diffoscope-*/tests/data"))


def _source_entries() -> Iterator[str]:
    """The machine's own package sources, asked for source packages."""
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for file in files:
        if not file.is_file():
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        if file.suffix == ".sources":
            for stanza in re.split(r"\n\s*\n", text):
                fields = dict(re.findall(r"^(\w[\w-]*):\s*(.*)$", stanza, re.MULTILINE))
                if "/debian" in fields.get("URIs", "") and "security" not in fields["URIs"]:
                    signed = (
                        f"[signed-by={fields['Signed-By']}] " if fields.get("Signed-By", "").startswith("/") else ""
                    )
                    yield f"deb-src {signed}{fields['URIs']} {fields['Suites'].split()[0]} main\n"
        else:
            for line in re.findall(r"^deb (.*/debian .*)$", text, re.MULTILINE):
                yield f"deb-src {line}\n"


def pairs(directory: Path) -> list[tuple[Path, Path]]:
    """Every file whose name, with one 1 made a 2, is another file's."""
    names = {path.name for path in directory.iterdir() if path.is_file()}
    found = []
    for name in sorted(names):
        for one in re.finditer("1", name):
            other = f"{name[: one.start()]}2{name[one.end() :]}"
            if other in names:
                found.append((directory / name, directory / other))
    return found


def test_no_pair_ends_in_a_traceback_or_in_a_wrong_verdict_and_known_formats_are_seen_into(data: Path) -> None:
    found = pairs(data)
    assert len(found) > 60
    tally: Counter[str] = Counter()
    unseen = []
    for a, b in found:
        compared = walk.compare(a, b)
        findings = explain.explain(compared.differences, Facts())
        report = Report(title=a.name, verdict=compared.verdict, comparison=compared, findings=findings)
        for renderer in (page, json, markdown, terminal):
            assert renderer.render(report)
        same = subprocess.run(("cmp", "--quiet", a, b), check=False).returncode == 0
        assert (compared.verdict is Verdict.IDENTICAL) == same, a.name
        # What a compressed stream holds has no name of its own: it is a second difference at the same place.
        inner = any(one.path or one.field is not Field.CONTENT for one in compared.differences)
        deep = inner or len(compared.differences) > 1
        tally["structured" if deep else "bytes"] += 1
        wanted = STRUCTURED.get(a.name)
        if wanted is not None and not (deep and compared.a.format == wanted):
            unseen.append((a.name, compared.a.format))
    print(f"{len(found)} pairs: {dict(tally)}", os.linesep)
    assert unseen == []
