"""Containers of differing members."""

from pathlib import Path

from bench import cause, changed, compared, run, shows, together


@shows("container", by="tar")
def test_an_archive_follows_from_what_differs_inside_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "var/log").mkdir(parents=True, exist_ok=True)
        (tmp_path / "var/log/thing").write_text(name)
        fixed = ("--mtime=@1", "--owner=0", "--group=0", "--sort=name")
        run("tar", *fixed, "--create", "--file", f"{name}.tar", "var", cwd=tmp_path)
    assert compared(tmp_path / "a.tar", tmp_path / "b.tar")["container"].consequence_of == ("log-file",)


def test_a_container_follows_from_what_differs_inside_it() -> None:
    outer = changed("a.tar", b"one", b"two", opened=True, container="directory")
    inner = changed(("a.tar", "var/log/thing"), b"one", b"two", container="tar")
    told = together(outer, inner)
    assert told["container"].consequence_of == ("log-file",)
    assert told["container"].fix == ""


def test_a_container_with_nothing_different_inside_is_unknown() -> None:
    assert cause(changed("a.tar", b"one", b"two", opened=True)) == "unknown"
    assert cause(changed("a.tar", b"one", b"two", opened=False)) == "unknown"
