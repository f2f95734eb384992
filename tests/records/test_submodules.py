"""Submodules as git itself checks them out; and what a repository of somebody else may not make git do."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import served

from ci_toolkit.errors import UnreadableError
from ci_toolkit.records import submodules
from ci_toolkit.records.checkout import Git

_SETTINGS = ("user.name=T", "user.email=t@example.org", "protocol.file.allow=always", "init.defaultBranch=main")


def git(repository: Path, *arguments: str) -> str:
    options = [word for setting in _SETTINGS for word in ("-c", setting)]
    argv = ("git", "-C", str(repository), *options, *arguments)
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def commit(repository: Path) -> str:
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=a commit")
    git(repository, "update-server-info")
    return git(repository, "rev-parse", "HEAD")


def made(place: Path, text: str) -> Path:
    """A repository with one file."""
    place.mkdir(parents=True)
    git(place, "init", "--quiet")
    (place / "file").write_text(text)
    commit(place)
    return place


def content(tree: Path) -> dict[str, str]:
    found = (path for path in tree.rglob("*") if ".git" not in path.parts and path.is_file())
    return {path.relative_to(tree).as_posix(): path.read_text() for path in found if path.name != ".gitmodules"}


@pytest.fixture
def base(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A directory that a web server hands out, and its address."""
    place = tmp_path / "base"
    place.mkdir()
    with served.directory(place) as address:
        yield place, address


def checked_out(repository: Path, where: str, target: Path) -> Path:
    target.mkdir()
    Git(directory=target, environ={}, kinds="https:http:file").get(where, git(repository, "rev-parse", "HEAD"))
    return target


def linked(repository: Path, path: str, url: str, sha: str, name: str = "") -> None:
    """Record a submodule at PATH without asking git whether that is wise."""
    with (repository / ".gitmodules").open("a") as file:
        file.write(f'[submodule "{name or path}"]\n\tpath = {path}\n\turl = "{url}"\n')
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{sha},{path}")
    git(repository, "add", ".gitmodules")
    git(repository, "commit", "--quiet", "--message=linked")
    git(repository, "update-server-info")


@pytest.mark.slow
def test_what_git_itself_checks_out_is_what_is_checked_out(base: tuple[Path, str], tmp_path: Path) -> None:
    """One in another, one by a relative address, and each at the recorded commit, not at the newest."""
    place, address = base
    inner, middle, top = (made(place / name, name) for name in ("inner", "middle", "top"))
    git(middle, "submodule", "--quiet", "add", f"{address}inner/.git", "deep")
    commit(middle)
    git(top, "submodule", "--quiet", "add", f"{address}middle/.git", "lib/one")
    git(top, "submodule", "--quiet", "add", "--name", "other.name", f"{address}inner/.git", "two words")
    git(top, "config", "--file=.gitmodules", "submodule.other.name.url", "../../inner/.git")
    commit(top)
    for one in (inner, middle):
        (one / "file").write_text("newer")
        commit(one)
    where = f"{address}top/.git"
    git(tmp_path, "clone", "--quiet", "--recurse-submodules", where, "reference")
    target = checked_out(top, where, tmp_path / "target")
    assert submodules.check_out(target, where, {}) == 3
    assert content(target) == content(tmp_path / "reference")
    assert content(target)["lib/one/deep/file"] == "inner"


def test_of_a_clone_of_the_callers_its_own_are_taken(base: tuple[Path, str], tmp_path: Path) -> None:
    place, address = base
    made(place / "inner", "inner")
    top = made(place / "top", "top")
    git(top, "submodule", "--quiet", "add", f"{address}inner/.git", "lib")
    commit(top)
    git(top, "config", "--file=.gitmodules", "submodule.lib.url", "https://nowhere.invalid/x.git")
    commit(top)
    target = checked_out(top, str(top), tmp_path / "target")
    assert submodules.check_out(target, str(top), {}) == 1
    assert content(target) == {"file": "top", "lib/file": "inner"}


def test_without_submodules_there_are_none(base: tuple[Path, str], tmp_path: Path) -> None:
    top = made(base[0] / "top", "top")
    assert submodules.check_out(checked_out(top, str(top), tmp_path / "target"), str(top), {}) == 0


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc",
        "/etc",
        "ext::sh -c touch% ran",
        "ext::sh",
        "fd::17",
        "--upload-pack=touch ran",
        "-u:x",
        "http://example.org/a.git",
        "ftp://example.org/a.git",
        "../inner",
        "",
    ],
)
def test_nothing_but_https_is_cloned(base: tuple[Path, str], tmp_path: Path, url: str) -> None:
    """From a repository of the caller's, where a relative address would be a path of this machine."""
    inner, top = made(base[0] / "inner", "inner"), made(base[0] / "top", "top")
    linked(top, "lib", url, git(inner, "rev-parse", "HEAD"))
    target = checked_out(top, str(top), tmp_path / "target")
    with pytest.raises(UnreadableError, match="not cloned from") as refused:
        submodules.check_out(target, str(top), {})
    assert "\n" not in refused.value.message
    assert list((target / "lib").iterdir()) == []


def test_somebody_elses_repository_asks_nothing_of_this_machine(base: tuple[Path, str], tmp_path: Path) -> None:
    place, address = base
    inner, top = made(place / "inner", "inner"), made(place / "top", "top")
    linked(top, "lib", f"{address}inner/.git", git(inner, "rev-parse", "HEAD"))
    target = checked_out(top, str(top), tmp_path / "target")
    for origin in ("https://forge.example/top.git", str(top)):
        with pytest.raises(UnreadableError, match="this machine itself"):
            submodules.check_out(target, origin, {})
    assert submodules.check_out(target, f"{address}top/.git", {}) == 1


def test_what_is_fetched_by_ssh_is_had_by_https() -> None:
    for written in (
        "git@forge.example:o/n.git",
        "ssh://git@forge.example/o/n.git",
        "https://u:p@forge.example/o/n.git",
    ):
        one = submodules.Submodule(path="lib", commit="0" * 40, url=written)
        assert submodules._where(one, "https://other.example/x.git") == "https://forge.example/o/n.git"


@pytest.mark.parametrize(
    ("origin", "written", "found"),
    [
        ("https://forge.example/o/n.git", "../m.git", "https://forge.example/o/m.git"),
        ("https://forge.example/o/n.git", "../../p/m.git", "https://forge.example/p/m.git"),
        ("https://forge.example/o/n.git/", "./m", "https://forge.example/o/n.git/m"),
        ("https://forge.example/o/n.git", "../" * 9 + "m", "https://forge.example/m"),
        ("https://forge.example/o/n.git", "..//evil.example/m", "https://forge.example/o/evil.example/m"),
    ],
)
def test_a_relative_address_stays_on_its_host(origin: str, written: str, found: str) -> None:
    assert submodules._where(submodules.Submodule(path="lib", commit="0" * 40, url=written), origin) == found


def test_a_submodule_without_an_address_and_one_without_its_commit_are_told(
    base: tuple[Path, str], tmp_path: Path
) -> None:
    place, address = base
    inner, top = made(place / "inner", "inner"), made(place / "top", "top")
    linked(top, "lib", f"{address}inner/.git", "f" * 40)
    where = f"{address}top/.git"
    with pytest.raises(UnreadableError) as refused:
        submodules.check_out(checked_out(top, where, tmp_path / "a"), where, {})
    assert "\n" not in refused.value.message
    git(top, "rm", "--quiet", "--cached", ".gitmodules")
    git(top, "commit", "--quiet", "--message=none")
    git(top, "update-server-info")
    with pytest.raises(UnreadableError, match=r"lib has no address in \.gitmodules"):
        submodules.check_out(checked_out(top, where, tmp_path / "b"), where, {})
    assert content(inner) == {"file": "inner"}


def test_a_list_that_is_a_link_is_not_followed(base: tuple[Path, str], tmp_path: Path) -> None:
    """git makes no such commit; who wants to do harm does."""
    inner, top = made(base[0] / "inner", "inner"), made(base[0] / "top", "top")
    listed = tmp_path / "list"
    listed.write_text(f'[submodule "lib"]\n\tpath = lib\n\turl = "{inner}"\n')
    (tmp_path / "leads").write_text(str(listed))
    blob = git(top, "hash-object", "-w", str(tmp_path / "leads"))
    (tmp_path / "tree").write_text(f"120000 blob {blob}\t.gitmodules\n160000 commit {'a' * 40}\tlib\n")
    with (tmp_path / "tree").open() as lines:
        argv = ("git", "-C", str(top), "mktree", "--missing")
        tree = subprocess.run(argv, stdin=lines, check=True, capture_output=True, text=True).stdout.strip()
    git(top, "update-ref", "refs/heads/main", git(top, "commit-tree", "-m", "evil", tree))
    with pytest.raises(UnreadableError):
        submodules.check_out(checked_out(top, str(top), tmp_path / "target"), str(top), {})
    assert not (tmp_path / "target/lib/file").exists()


def test_a_place_that_holds_something_or_leads_elsewhere_is_none(tmp_path: Path) -> None:
    (tmp_path / "tree/full").mkdir(parents=True)
    (tmp_path / "tree/full/x").touch()
    (tmp_path / "outside").mkdir()
    (tmp_path / "tree/link").symlink_to(tmp_path / "outside")
    (tmp_path / "tree/.git").mkdir()
    for path in ("full", "link", "../outside", str(tmp_path / "outside"), "none", ".git", ".GIT/x"):
        with pytest.raises(UnreadableError, match="no place"):
            submodules._place(tmp_path / "tree", path)


@pytest.mark.slow
def test_one_that_holds_itself_ends(base: tuple[Path, str], tmp_path: Path) -> None:
    """A repository whose submodule is its own first commit, in which there is a submodule, and so on."""
    place, address = base
    top = made(place / "top", "top")
    where = f"{address}top/.git"
    for _ in range(8):
        git(top, "rm", "--quiet", "-r", "--cached", "--ignore-unmatch", "lib")
        (top / ".gitmodules").unlink(missing_ok=True)
        linked(top, "lib", where, git(top, "rev-parse", "HEAD"))
    with pytest.raises(UnreadableError, match="too deep"):
        submodules.check_out(checked_out(top, where, tmp_path / "target"), where, {})


def test_too_many_are_refused_before_any_is_fetched(base: tuple[Path, str], tmp_path: Path) -> None:
    top = made(base[0] / "top", "top")
    for number in range(51):
        git(top, "update-index", "--add", "--cacheinfo", f"160000,{'a' * 40},lib{number}")
    git(top, "commit", "--quiet", "--message=many")
    with pytest.raises(UnreadableError, match="more than 50"):
        submodules.check_out(checked_out(top, str(top), tmp_path / "target"), str(top), {})


def test_nothing_that_a_list_names_is_run(base: tuple[Path, str], tmp_path: Path) -> None:
    """An update command, and a configuration that would be taken in."""
    place, address = base
    inner, top = made(place / "inner", "inner"), made(place / "top", "top")
    (tmp_path / "evil").write_text(f"[core]\n\tfsmonitor = touch {tmp_path}/ran\n")
    linked(top, "lib", f"{address}inner/.git", git(inner, "rev-parse", "HEAD"))
    with (top / ".gitmodules").open("a") as file:
        file.write(f"\tupdate = !touch {tmp_path}/ran\n[include]\n\tpath = {tmp_path}/evil\n")
    git(top, "add", ".gitmodules")
    git(top, "commit", "--quiet", "--message=evil")
    git(top, "update-server-info")
    where = f"{address}top/.git"
    target = checked_out(top, where, tmp_path / "target")
    assert submodules.check_out(target, where, {"HOME": str(tmp_path)}) == 1
    assert not (tmp_path / "ran").exists()
