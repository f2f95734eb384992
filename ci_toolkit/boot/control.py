"""QMP, through which QEMU takes a picture of the screen (docs/interop/qmp-spec of QEMU)."""

import json
import os
import socket
import time
from pathlib import Path
from typing import Any, Final

_SECONDS: Final = 20.0
# Its answers have some hundred bytes.
_ANSWERS_MAX: Final = 1 << 20


def screenshot(control: socket.socket, path: Path) -> bool:
    """Let QEMU write what the guest's screen shows to PATH, as PNG, and tell whether it did."""
    try:
        talk = _Talk(control)
        return (
            talk.ask("qmp_capabilities")
            and talk.ask("screendump", {"filename": os.fspath(path), "format": "png"})
            and path.is_file()
        )
    except (OSError, ValueError):
        return False


class _Talk:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._deadline = time.monotonic() + _SECONDS
        self._rest = b""
        self._heard = 0
        self._answer()  # the greeting

    def ask(self, command: str, arguments: dict[str, str] | None = None) -> bool:
        """Give COMMAND and tell whether QEMU did it. Raises OSError, ValueError where it says nothing sensible."""
        question = {"execute": command, **({"arguments": arguments} if arguments else {})}
        self._control.sendall(json.dumps(question).encode() + b"\n")
        while True:
            answer = self._answer()
            if "return" in answer or "error" in answer:
                return "return" in answer

    def _answer(self) -> dict[str, Any]:
        while b"\n" not in self._rest:
            self._control.settimeout(max(0.01, self._deadline - time.monotonic()))
            chunk = self._control.recv(1 << 16)
            self._heard += len(chunk)
            if not chunk or self._heard > _ANSWERS_MAX:
                raise ConnectionResetError("QEMU says no more")
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        answer = json.loads(line)
        return answer if isinstance(answer, dict) else {}
