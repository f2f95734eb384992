import hashlib
import subprocess
from pathlib import Path

from ci_toolkit.mkosi import source
from ci_toolkit.records import digest


def git(repository: Path, *arguments: str) -> bytes:
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org")
    argv: tuple[str, ...] = ("git", "-C", str(repository), *identity, *arguments)
    return subprocess.run(argv, check=True, capture_output=True).stdout


def repository(base: Path) -> Path:
    place = base / "repository"
    (place / "b").mkdir(parents=True)
    (place / "mkosi.conf").write_text("[Output]\n")
    (place / "b.conf").write_text("x")
    (place / "b/ü\n").write_bytes(b"\0" * 100)
    (place / "script").write_text("#!/bin/sh\n")
    (place / "script").chmod(0o755)
    (place / "link").symlink_to("nowhere")
    git(place, "init", "--quiet")
    git(place, "add", ".")
    git(place, "commit", "--quiet", "--message=One")
    return place


def told(place: Path, target: Path) -> tuple[str, tuple[str, ...]]:
    source.copy(source.find(place), target, epoch=0, leave_out=())
    return digest.definition(target)


def test_it_is_what_anybody_computes_from_what_git_has_of_the_commit(tmp_path: Path) -> None:
    place = repository(tmp_path)
    lines = []
    for line in filter(None, git(place, "ls-tree", "-r", "-z", "HEAD").split(b"\0")):
        facts, name = line.split(b"\t")
        mode, _, identifier = facts.split()
        content = git(place, "cat-file", "blob", identifier.decode())
        lines.append((name, b"%s %s %s\0" % (mode, hashlib.sha256(content).hexdigest().encode(), name)))
    expected = hashlib.sha256(b"".join(line for _, line in sorted(lines))).hexdigest()
    assert told(place, tmp_path / "copy") == (expected, ())


def test_neither_the_modes_of_a_checkout_nor_its_times_count(tmp_path: Path) -> None:
    place = repository(tmp_path)
    before = told(place, tmp_path / "one")
    for path in (path for path in place.rglob("*") if path.is_file() and ".git" not in path.parts):
        path.chmod(0o600)
    assert told(place, tmp_path / "two") == before


def test_content_mode_name_and_where_a_link_leads_count(tmp_path: Path) -> None:
    place = repository(tmp_path)
    seen = {told(place, tmp_path / "0")[0]}
    (place / "b.conf").write_text("y")
    seen.add(told(place, tmp_path / "1")[0])
    git(place, "update-index", "--chmod=+x", "b.conf")
    seen.add(told(place, tmp_path / "2")[0])
    git(place, "mv", "-f", "b.conf", "c.conf")
    seen.add(told(place, tmp_path / "3")[0])
    (place / "link").unlink()
    (place / "link").symlink_to("elsewhere")
    seen.add(told(place, tmp_path / "4")[0])
    assert len(seen) == 5


def test_secrets_are_named_and_have_no_part_in_it(tmp_path: Path) -> None:
    place = repository(tmp_path)
    before, _ = told(place, tmp_path / "one")
    (place / "mkosi.rootpw").write_text("hunter2")
    (place / "mkosi.local.conf").write_text("[Output]\n")
    assert told(place, tmp_path / "two") == (before, ("mkosi.local.conf", "mkosi.rootpw"))
