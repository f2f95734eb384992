"""One line per step for the reader, everything else in a log file."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

_TAIL_LINES: Final = 15


class Journal:
    """Tells what the set-up does; notes made during a step follow its line."""

    def __init__(self, log: Path, stream: TextIO | None = None) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.path = log
        self._log = log.open("w", encoding="utf-8", errors="backslashreplace")
        self._stream = stream or sys.stderr
        self._in_step = False
        self._notes: list[str] = []

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce TITLE, and when the block is through, how long it took."""
        began = time.monotonic()
        self.record(f"=== {title}\n")
        self._show(f"set-up: {title} … ")
        self._in_step = True
        ending = "failed"
        try:
            yield
            ending = f"{time.monotonic() - began:.0f} s"
        finally:
            self._in_step = False
            self._show(f"{ending}\n")
            notes, self._notes = self._notes, []
            for note in notes:
                self.note(note)

    def reused(self, title: str) -> None:
        """Say that TITLE stands from an earlier run."""
        self.record(f"=== {title}: reused\n")
        self._show(f"set-up: {title}: reused\n")

    def note(self, text: str) -> None:
        """Say TEXT, after the line of the step that runs."""
        if self._in_step:
            self._notes.append(text)
            return
        self.record(f"{text}\n")
        self._show(f"set-up: {text}\n")

    def record(self, text: str) -> None:
        """Put TEXT into the log only."""
        self._log.write(text)
        self._log.flush()

    def tail(self) -> str:
        """Return the last lines of the log."""
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_TAIL_LINES:])

    def _show(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
