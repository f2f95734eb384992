"""What a build would not see; what it does see is in test_launch.py."""

from pathlib import Path

from ci_toolkit.runners import root


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_program_that_is_a_link_to_a_home_is_told_with_where_it_leads(tmp_path: Path) -> None:
    there = program(tmp_path / "home/checkout/bin/mkosi")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/mkosi").symlink_to(there)
    (reason,) = root.hides("mkosi", search=str(tmp_path / "bin"))
    assert f"{tmp_path}/bin/mkosi leads to {there.resolve()}" in reason


def test_a_program_of_the_system_and_one_that_is_not_there_are_not_hidden(tmp_path: Path) -> None:
    (tmp_path / "sh").symlink_to("/bin/sh")
    assert root.hides("sh", search=str(tmp_path)) == ()
    assert root.hides("sh") == ()
    assert root.hides("no-such-program") == ()
