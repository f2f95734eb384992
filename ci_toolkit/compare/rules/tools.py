"""Versions of the tools that built the image, where they wrote them down."""

import re
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents
from ci_toolkit.compare.rules.remedy import advice, render, setting
from ci_toolkit.compare.rules.rule import Phase, Rule

# Tools that sign what they make, then their version: GCC: (Debian 12.2.0-14) 12.2.0, dracut-059-4, XORRISO-1.5.4.
_NAMES: Final = (
    "autoconf|binutils|clang|depmod|dkms|dnf|dpkg|dracut|erofs-utils|gcc|gdk-pixbuf|genisoimage|glib|GNU ld|grub|kmod|"
    "libisoburn|libisofs|libburn|linker: LLD|LLVM|mkinitcpio|mkisofs|mkosi|mksquashfs|pacman|pip|qemu|rpm|rustc|"
    "systemd-boot|systemd-stub|systemd|ukify|xorriso"
)
_VERSION: Final = r"(?:\([^()\n]*\) *)?v?\d+(?:\.\d+)*[\w.+~-]*(?: +\d{4}\.\d\d\.\d\d\.\d+| +\(\d[^()\n]*\))?"
_TOOL: Final = re.compile(rf"(?<![\w-])((?:{_NAMES})(?: version|\.version)?[ :=/-]*){_VERSION}", re.IGNORECASE)


def _is_version(difference: Difference, _facts: Facts) -> bool:
    """Equal texts but for the versions of tools that are named in front of them."""
    if difference.field is Field.HEADER:
        if not isinstance(difference.before, str) or not isinstance(difference.after, str):
            return False
        return _without(difference.before) == _without(difference.after)
    if contents.texts(difference) is not None:
        lines = contents.changed_lines(difference)
        return bool(lines) and all(_without(before) == _without(after) for before, after in lines or ())
    pair = _comment(difference)
    return pair is not None and _without(pair[0]) == _without(pair[1])


def _comment(difference: Difference) -> tuple[str, str] | None:
    """The strings of a section that is made for them: .comment of ELF files, .sdmagic of systemd's."""
    pair = contents.whole(difference)
    if pair is None or not difference.path or difference.path[-1] not in (".comment", ".sdmagic"):
        return None
    before, after = (content.decode("ascii", "replace").replace("\0", "\n") for content in pair)
    return before, after


def _without(text: str) -> str:
    return _TOOL.sub(r"\1", text)


TOOL_VERSION: Final = Rule(
    cause=Cause(
        identifier="tool-version",
        title="Another version of a tool built the image",
        explanation="A tool wrote its own version into what it made, and the two builds had different ones. Look at "
        "this early: tools of two versions may do everything a little differently.",
        fix=render(
            (
                setting("Build", "ToolsTree=default"),
                advice("Pin it with ToolsTreeSnapshot=, so that every machine has the same one."),
            )
        ),
        source="https://gitlab.archlinux.org/archlinux/archiso/-/issues/162",
    ),
    phase=Phase.INPUT,
    fields=(Field.CONTENT, Field.HEADER),
    recognise=_is_version,
)
