"""What of somebody else's record becomes a call of mkosi: options that say what is built, and nothing else.

None of those here names a file of this machine, starts a program, or writes somewhere else.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NoReturn

from ci_toolkit.console import printable
from ci_toolkit.errors import UnreadableError
from ci_toolkit.records.masked import MASK
from ci_toolkit.records.record import Record

_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+:=-]{0,200}")
_WORDS: Final = re.compile(r"[A-Za-z0-9!-][A-Za-z0-9._+:=,@~^*!-]{0,500}")
_LINE: Final = re.compile(r"[ -~]{0,2000}")
_TRUTH: Final = re.compile(r"yes|no|true|false|on|off|1|0|auto|always|never|metadata", re.IGNORECASE)
_MIRROR: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~%+/-]*)?")
# Not those by which programs find other programs.
_VARIABLE: Final = re.compile(
    r"(?!PATH=|LD_|BASH_|PYTHON|PERL|MKOSI|SYSTEMD|TMPDIR|HOME=|ENV=|IFS=)[A-Z][A-Z0-9_]*=[ -~]{0,1000}"
)
_SNAPSHOT: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.:_-]{0,63}(/[0-9A-Za-z.:_-]{1,63}){0,3}")

# https://github.com/systemd/mkosi/blob/main/mkosi/resources/man/mkosi.1.md
OPTIONS: Final[Mapping[str, re.Pattern[str]]] = {
    **dict.fromkeys(
        ("--distribution", "--release", "--architecture", "--format", "--image-id", "--image-version", "--output")
        + ("--profile", "--compress-output", "--compress-level", "--bootloader", "--bios-bootloader")
        + ("--shim-bootloader", "--hostname", "--locale", "--locale-messages", "--keymap", "--seed")
        + ("--source-date-epoch", "--sector-size", "--os-release", "--manifest-format"),
        _WORD,
    ),
    **dict.fromkeys(
        ("--package", "--volatile-package", "--remove-package", "--repositories", "--split-artifacts", "--dependency"),
        _WORDS,
    ),
    **dict.fromkeys(
        ("--bootable", "--with-recommends", "--with-docs", "--with-network", "--cache-only", "--unified-kernel-images")
        + ("--make-initrd", "--selinux-relabel", "--autologin", "--ssh", "--overlay", "--clean-package-metadata"),
        _TRUTH,
    ),
    "--timezone": re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}"),
    "--kernel-command-line": _LINE,
    "--environment": _VARIABLE,
    "--mirror": _MIRROR,
    "--snapshot": _SNAPSHOT,
}
_SHORT: Final = {
    "-d": "--distribution", "-r": "--release", "-t": "--format", "-o": "--output", "-p": "--package",
    "-E": "--environment",
}  # fmt: skip
# Those that stand alone: what is shown, and that an output is replaced.
_ALONE: Final = frozenset(("--debug", "--force", "-f"))


def arguments(record: Record, given: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """Return the arguments for mkosi that RECORD asks for, or those GIVEN in their place; and its snapshot.

    Raises UnreadableError for one that is not taken from others.
    """
    snapshot = record.image.snapshot
    pinned = () if snapshot is None else tuple(_taken([f"--snapshot={snapshot}"]))
    return (*(_taken(list(record.image.arguments)) if given is None else given), *pinned)


def _taken(words: list[str]) -> Iterator[str]:
    rest = iter(words)
    for word in rest:
        if word in _ALONE:
            yield word
            continue
        name, equals, value = word.partition("=")
        if not equals:
            value = next(rest, "")
        name = _SHORT.get(name, name)
        if MASK in value:
            _refuse(f"the value of {printable(name)} was masked in the record")
        if name not in OPTIONS:
            _refuse(f"the record asks mkosi for {printable(name)}, which is not taken from others")
        if not OPTIONS[name].fullmatch(value):
            _refuse(f"the record asks mkosi for {name}={printable(value)[:200]}, which is not taken from others")
        yield f"{name}={value}"


def _refuse(message: str) -> NoReturn:
    raise UnreadableError(message, hint='Look at it, and give the arguments for mkosi yourself, after "--".')
