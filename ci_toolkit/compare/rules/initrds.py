"""Initrds: which modules of the kernel are in them."""

import re
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules.remedy import advice, render
from ci_toolkit.compare.rules.rule import Phase, Rule

_MODULE: Final = re.compile(r"((?:\.?/)?(?:usr/)?lib/modules/[^/]+)/.+\.ko(?:\.xz|\.zst|\.gz)?")


def _is_selection(difference: Difference, facts: Facts) -> bool:
    """A module is in one initrd only, and it is not that the other one has no modules of that kernel at all."""
    found = _MODULE.fullmatch(difference.path[-1]) if difference.path else None
    if found is None or difference.container != "cpio" or "file" not in (difference.before, difference.after):
        return False
    return (*difference.path[:-1], found.group(1)) not in facts.alone


INITRD_MODULES: Final = Rule(
    cause=Cause(
        identifier="initrd-modules",
        title="An initrd was made for the machine that builds",
        explanation="mkinitcpio's hook autodetect and dracut's --hostonly take the modules that the machine which "
        "they run on has use for.",
        fix=render(
            (advice("Leave the initrd to mkosi, or call `mkinitcpio -S autodetect` or `dracut --no-hostonly`."),)
        ),
        source="https://gitlab.archlinux.org/archlinux/arch-boxes/-/blob/master/build.sh",
    ),
    phase=Phase.CONTENT,
    fields=(Field.PRESENCE,),
    recognise=_is_selection,
)
