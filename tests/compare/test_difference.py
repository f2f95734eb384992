"""The record of one difference."""

from dataclasses import FrozenInstanceError

import pytest
from bench import content, differs

from ci_toolkit.compare.difference import Content, Field, display


def test_a_path_is_shown_with_its_layers() -> None:
    assert display(("1:esp", "EFI/Linux/linux.efi", ".initrd", "etc/shadow")) == (
        "1:esp › EFI/Linux/linux.efi › .initrd › etc/shadow"
    )
    assert display(()) == "(the image itself)"


def test_a_content_is_whole_where_its_head_is_all_of_it() -> None:
    assert content(b"all").whole == b"all"
    assert content(b"").whole == b""
    assert Content(size=4, sha256="", head=b"all").whole is None


def test_differences_can_be_told_apart_and_never_change() -> None:
    one = differs("etc/thing", Field.MODE, 0o644, 0o600)
    assert one == differs("etc/thing", Field.MODE, 0o644, 0o600)
    assert len({one, differs("etc/thing", Field.MODE, 0o644, 0o600), differs("etc/thing", Field.UID, 0, 1)}) == 2
    with pytest.raises(FrozenInstanceError):
        one.bytes = 1  # type: ignore[misc]
