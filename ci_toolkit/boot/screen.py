"""What a guest says on its serial console: kept within bounds, and searched for the signs that tell how it goes."""

import re
from dataclasses import dataclass
from typing import Final, Protocol

# The log of a boot has some hundred kilobytes; more is not kept.
LOG_MAX: Final = 8 << 20
_CUT: Final = b"\n(what came after this was not kept)\n"
# A sign stands on one line; of what has no end, so much is remembered.
_RECENT: Final = 4096
# Shorter lines, or beginnings of lines, say nothing.
_TELLING: Final = 8

# Escape sequences of terminals (ECMA-48): with parameters, for titles, of two characters; and stray control characters.
_ESCAPES: Final = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]|[\x00-\x09\x0b-\x1f\x7f]"
)

# A login prompt (agetty's: "host login: "), or systemd's word on a target that is the last one.
_READY: Final = (
    (re.compile(rb"^(?!Last )\S{1,64} login: *$", re.MULTILINE), "a login prompt"),
    (
        re.compile(rb"Reached target (?:\S+ - )?(?:multi-user|graphical|Multi-User System|Graphical Interface)\b"),
        "systemd's target",
    ),
)

# What is the end of a boot, as people would tell it; {} is what follows on the line.
_BROKEN: Final = (
    (re.compile(rb"Kernel panic - not syncing: (.{0,200})"), "the kernel panicked: {}"),
    (
        re.compile(rb"BdsDxe: (failed to load [^\r\n]*Access Denied|[^\r\n]*Security Violation)"),
        "Secure Boot refused the loader: no key that the firmware has signed it",
    ),
    (
        re.compile(rb"BdsDxe: (No bootable option or device was found)"),
        "the UEFI found nothing on the disk that it could start",
    ),
    (
        re.compile(rb"^((?:https?://|Could not )[^\r\n]{1,300}\(https?://ipxe\.org/[0-9a-f]{8}\))", re.MULTILINE),
        "iPXE gave up: {}",
    ),
    (re.compile(rb"(No bootable device)"), "the BIOS found nothing on the disk that it could start"),
    (
        re.compile(rb"(You are in emergency mode|Reached target (?:\S+ - )?[Ee]mergency)"),
        "systemd gave up and went into emergency mode",
    ),
    (re.compile(rb"(grub rescue>)"), "GRUB did not find its own files (it offers a rescue shell)"),
)


class Log(Protocol):
    """Takes bytes, at once."""

    def write(self, chunk: bytes, /) -> int | None: ...


@dataclass(kw_only=True)
class Screen:
    """One console. `ready` is the first sign that the guest is up, `broken` why it never will be."""

    log: Log
    ready: str | None = None
    broken: str | None = None
    _kept: int = 0
    _recent: bytes = b""
    _last: bytes = b""

    def feed(self, chunk: bytes) -> None:
        """Take what the guest said."""
        if self._kept < LOG_MAX:
            self.log.write(chunk[: LOG_MAX - self._kept])
            self._kept += len(chunk)
            if self._kept >= LOG_MAX:
                self.log.write(_CUT)
        text = _ESCAPES.sub(b"", self._recent + chunk)
        self._judge(text)
        lines = [line for line in text.split(b"\n") if len(line.strip()) >= _TELLING]
        self._last = lines[-1][-_RECENT:] if lines else self._last
        # An escape sequence may be cut in two: it is put together again.
        self._recent = (self._recent + chunk)[-_RECENT:]

    @property
    def last_line(self) -> str:
        """Return the last line that said something, without escapes; it is foreign."""
        return self._last.decode("utf-8", "backslashreplace").strip()[:200]

    def _judge(self, text: bytes) -> None:
        if self.ready is None:
            self.ready = next((sign for pattern, sign in _READY if pattern.search(text)), None)
        if self.broken is None:
            found = ((pattern.search(text), sentence) for pattern, sentence in _BROKEN)
            self.broken = next((_filled(sentence, match) for match, sentence in found if match is not None), None)


def _filled(sentence: str, match: re.Match[bytes]) -> str:
    return sentence.format(match[1].decode("utf-8", "backslashreplace").strip())
