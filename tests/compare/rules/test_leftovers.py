"""What programs leave behind, by these programs."""

import os
import time
from pathlib import Path

import pytest
from bench import cause, changed, differs, finding, run, shows

from ci_toolkit.compare.difference import Field


@shows("gnupg-home", by="gpg")
def test_gpg_dates_its_trust_database_at_the_first_call(tmp_path: Path) -> None:
    homes = []
    for name in ("a", "b"):
        home = tmp_path / name
        home.mkdir(mode=0o700)
        run("gpg", "--batch", "--homedir", home, "--list-keys")
        homes.append((home / "trustdb.gpg").read_bytes())
        time.sleep(1.01 if name == "a" else 0)
    told = finding(changed("root/.gnupg/trustdb.gpg", *homes))
    assert told.cause == "gnupg-home"
    assert "RemoveFiles=/root/.gnupg\n" in told.fix


@shows("shell-history", by="bash")
def test_bash_remembers_what_was_typed(tmp_path: Path) -> None:
    histories = []
    for name in ("a", "b"):
        history = tmp_path / name
        environment = {"HISTFILE": os.fspath(history), "HISTTIMEFORMAT": "%F", "TERM": "dumb"}
        run("bash", "--norc", "-i", stdin=f"echo {name}\nexit\n".encode(), environment=environment)
        histories.append(history.read_bytes())
    told = finding(changed("root/.bash_history", *histories))
    assert told.fix == "[Content]\nRemoveFiles=/root/.bash_history"
    assert cause(changed("root/bash_history", *histories)) != "shell-history"


@pytest.mark.skipif(os.geteuid() != 0, reason="logrotate wants its configuration to be root's")
@shows("logrotate-state", by="logrotate")
def test_logrotate_notes_when_it_saw_each_log(tmp_path: Path) -> None:
    states = []
    for name in ("one", "two"):
        (tmp_path / f"{name}.log").write_text("x\n")
        (tmp_path / name).write_text(f"{tmp_path}/{name}.log {{\n weekly\n}}\n")
        (tmp_path / name).chmod(0o644)
        run("logrotate", "--state", tmp_path / f"{name}.state", tmp_path / name)
        states.append((tmp_path / f"{name}.state").read_bytes())
    told = finding(changed("var/lib/logrotate/status", *states))
    assert told.fix == "[Content]\nRemoveFiles=/var/lib/logrotate/status"


@shows("temporary-file", by="mktemp")
def test_a_file_of_mktemp_that_was_left_is_named() -> None:
    for sides in (("file", None), (None, "file")):
        path = run("mktemp", "--dry-run").decode().strip().lstrip("/")
        told = finding(differs(path, Field.PRESENCE, *sides))
        assert told.cause == "temporary-file"
        assert told.fix.startswith("[Content]\nRemoveFiles=/tmp/*\n")
    # As systemd calls the store that it keeps while it copies hard links.
    assert cause(differs("usr/.#hardlink0123456789abcdef", Field.PRESENCE, "file", None)) == "temporary-file"
    assert cause(differs("usr/tmp.0123456789", Field.PRESENCE, "file", None)) == "unknown"


@shows("tool-cache", by="fc-cache")
def test_what_a_tool_keeps_in_the_home_of_root_is_removed(tmp_path: Path) -> None:
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts.conf").write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">'
        f'<fontconfig><dir>{tmp_path}/fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>'
    )
    run("fc-cache", environment={"FONTCONFIG_FILE": os.fspath(tmp_path / "fonts.conf"), "HOME": os.fspath(tmp_path)})
    (cache,) = (tmp_path / ".cache/fontconfig").glob("*.cache-*")
    path = f"root/{cache.relative_to(tmp_path)}"
    told = finding(differs(path, Field.PRESENCE, "file", None))
    assert told.cause == "tool-cache"
    assert told.fix == f"[Content]\nRemoveFiles=/{path}"
