"""The one door to the reader: narration goes to stderr, results go to stdout.

Everything that comes from an image or a build is foreign: it passes through `printable`, so it can neither
move the cursor nor speak to the CI system as a workflow command.
"""

import errno
import json
import os
import re
import sys
import time
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Final, TextIO

# Control characters, what reorders or hides text (https://trojansource.codes), lone surrogates, line and paragraph
# separators, code points without a character.
_HIDDEN_CATEGORIES: Final = frozenset(("Cc", "Cf", "Cs", "Cn", "Zl", "Zp"))

# Unicode's Default_Ignorable_Code_Point of other categories: letters and marks that show nothing.
_INVISIBLE: Final = frozenset(
    (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0)
    + (0x180B, 0x180C, 0x180D, 0x180F, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
)

# GitHub's runner obeys "::name::" at the start of a line, blanks before it or not, and "##[name]" anywhere in one
# (src/Runner.Common/ActionCommand.cs); Azure and TeamCity put a word before the bracket.
_COMMANDS: Final = (
    (re.compile(r"^([^\S\n]*):(?=:)", re.MULTILINE), r"\1\\u003a"),
    (re.compile(r"#(?=#\w*\[)"), r"\\u0023"),
)

# What a stream says whose reader left: a pipe's (`| head`), and a terminal that was closed.
_GONE: Final = (errno.EPIPE, errno.EIO)

# How our own words are set off, where colours are shown: parameters of SGR (ECMA-48).
_BOLD: Final = "1"
_LEVELS: Final = {"warning": "1;33", "error": "1;31"}

# What a result may hold besides plain text: colours.
_UNPLAIN: Final = re.compile(r"(?P<colour>\x1b\[[0-9;]*m)|[^\n\t -~]")


def printable(text: str) -> str:
    """Return TEXT on one line with control, bidirectional, invisible and undecodable characters shown as escapes."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(ord(character)) if _hides(character) else character for character in text)


def _hides(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN_CATEGORIES or ord(character) in _INVISIBLE


def _escape(point: int) -> str:
    if 0xDC80 <= point <= 0xDCFF:  # a byte that was not UTF-8, kept by the surrogateescape error handler
        return f"\\x{point - 0xDC00:02x}"
    if point <= 0xFF:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def _inert(text: str) -> str:
    """Return TEXT with nothing in it that a CI system would obey; the escapes are JSON's, whose data stays the same."""
    for pattern, replacement in _COMMANDS:
        text = pattern.sub(replacement, text)
    return text


def _harmless(text: str) -> str:
    """Return the lines TEXT with colours, but no other control, hidden or undecodable character."""

    def shown(found: re.Match[str]) -> str:
        if found["colour"] or not _hides(found[0]):
            return found[0]
        units = found[0].encode("utf-16-be", "surrogatepass")  # what JSON's escapes stand for
        return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))

    return _UNPLAIN.sub(shown, text)


class Fold(StrEnum):
    """How a CI system folds the log: workflow commands, section markers, or not at all."""

    NONE = "none"
    GITHUB = "github"
    GITLAB = "gitlab"


class Console:
    """Narration for one run. Nobody else prints. COLOUR is for a reader who sees colours."""

    def __init__(
        self,
        fold: Fold = Fold.NONE,
        *,
        narration: TextIO | None = None,
        results: TextIO | None = None,
        quiet: bool = False,
        colour: bool = False,
    ) -> None:
        self.fold = fold
        self.quiet = quiet
        self._colour = colour
        self._narration = narration
        self._results = results
        self._secrets: set[str] = set()
        self._unannounced: list[str] = []
        self._stopped = False

    def result(self, text: str) -> None:
        """Write a result, whole, to stdout, which the CI system reads as well."""
        stream = self._results or sys.stdout
        whole = _inert(_harmless(self._masked(text if text.endswith("\n") else text + "\n")))
        encoding = stream.encoding or "utf-8"
        _write(stream, whole.encode(encoding, "backslashreplace").decode(encoding))

    def say(self, text: str) -> None:
        """Narrate; our own lines may quote foreign text."""
        if not self.quiet:
            self._raw("\n".join(self._lines(text)) + "\n")

    def warn(self, text: str, *, hint: str | None = None) -> None:
        """Tell of something that the reader may want to mend."""
        self._annotate("warning", text, hint)

    def error(self, text: str, *, hint: str | None = None) -> None:
        """Tell why the run ends."""
        self._annotate("error", text, hint)

    def point(self, file: str, title: str, text: str) -> None:
        """Warn of something that is mended in FILE, a path in the checkout; where the CI can, beside that file."""
        if self.fold is not Fold.GITHUB or self._stopped:
            self.warn(f"{file}: {title}", hint=text)
            return
        properties = (f"{name}={_property(self._clean(value))}" for name, value in (("file", file), ("title", title)))
        lines = "\n".join(self._lines(text))
        self._raw(f"::warning {','.join(properties)}::{_data(lines)}\n")

    def foreign(self, line: str) -> None:
        """Show one line that a build wrote; call it inside `foreign_output`."""
        if not self.quiet:
            self._raw(self._clean(self._masked(line).rstrip("\r\n").replace("\t", "    ")) + "\n")

    @contextmanager
    def foreign_output(self) -> Iterator[None]:
        """Keep lines of a build from being obeyed as workflow commands."""
        if self.fold is not Fold.GITHUB or self._stopped:
            yield
            return
        token = uuid.uuid4().hex
        self._raw(f"::stop-commands::{token}\n")
        self._stopped = True
        try:
            yield
        finally:
            self._stopped = False
            self._raw(f"::{token}::\n")
            self._announce()

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Fold what follows under TITLE, and tell how long it took."""
        started = time.monotonic()
        name = uuid.uuid4().hex[:12]
        clean = self._clean(title)
        match self.fold:
            case Fold.GITHUB:
                self._raw(f"::group::{_data(clean)}\n")
            case Fold.GITLAB:
                self._raw(f"\x1b[0Ksection_start:{int(time.time())}:{name}\r\x1b[0K{self._painted(clean, _BOLD)}\n")
            case Fold.NONE:
                if not self.quiet:
                    self._raw(self._painted(f"▸ {clean}", _BOLD) + "\n")
        try:
            yield
        finally:
            seconds = time.monotonic() - started
            match self.fold:
                case Fold.GITHUB:
                    self._raw("::endgroup::\n")
                case Fold.GITLAB:
                    self._raw(f"\x1b[0Ksection_end:{int(time.time())}:{name}\r\x1b[0K\n")
                case Fold.NONE:
                    pass
            self.say(f"  {clean}: {seconds:.1f} s")

    def mask(self, secret: str) -> None:
        """Never show SECRET: shown as *** here, and announced to the CI system where it has a command for that.

        Each line of it counts by itself; one of less than four characters is no secret.
        """
        for line in (line.strip() for line in secret.splitlines()):
            if len(line) >= 4:
                quoted = (json.dumps(line)[1:-1], json.dumps(line, ensure_ascii=False)[1:-1])
                self._secrets.update((line, printable(line), *quoted))
                self._unannounced.append(line)
        self._announce()

    def _announce(self) -> None:
        """Tell GitHub of the secrets, but not while it would print what it is told."""
        if self._stopped:
            return
        for line in self._unannounced:
            if self.fold is Fold.GITHUB:
                self._raw(f"::add-mask::{_data(line)}\n")
        self._unannounced.clear()

    def _annotate(self, level: str, text: str, hint: str | None) -> None:
        first, *rest = [*self._lines(text), *(self._lines(hint) if hint else [])]
        if self.fold is Fold.GITHUB and not self._stopped:
            lines = "\n".join((first, *rest))
            self._raw(f"::{level}::{_data(lines)}\n")
            return
        word = self._painted(f"{level}:", _LEVELS[level])
        self._raw("\n".join([f"{word} {first}", *(f"  {line}" for line in rest)]) + "\n")

    def _lines(self, text: str) -> list[str]:
        return [self._clean(line) for line in text.splitlines()] or [""]

    def _clean(self, text: str) -> str:
        """Return TEXT, which may be foreign, on one line without secrets and without anything that acts."""
        return _inert(printable(self._masked(text)))

    def _painted(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour else text

    def _raw(self, text: str) -> None:
        _write(self._narration or sys.stderr, text)

    def _masked(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def _write(stream: TextIO, text: str) -> None:
    """Write TEXT at once. A reader who left early stops neither the work nor its exit code; a full disk is raised."""
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # what is still in the buffer would fail again at the very end
        os.close(nowhere)
        if error.errno not in _GONE:
            raise


def _data(text: str) -> str:
    """Escape the data of a workflow command; the percent sign goes first."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escape the value of a workflow command's property."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
