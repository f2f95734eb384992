"""The set-up's one door to other programs: their output goes to the log, their failures become sentences."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bootstrap.failures import SetupError, diagnose
from bootstrap.journal import Journal

_SYSTEM_PATH: Final = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_TAIL_CHARACTERS: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a program left: its exit code (127 when it is not there, 124 when it took too long) and all it wrote."""

    code: int
    output: str

    @property
    def ok(self) -> bool:
        return self.code == 0

    def demand(self, problem: str, *, hint: str | None = None) -> str:
        """Return the output; raise SetupError with PROBLEM when the program failed."""
        if not self.ok:
            raise SetupError(problem, hint=diagnose(self.output) or hint)
        return self.output


class Programs:
    """Runs programs in the surroundings ENVIRON, with messages in English and nobody to ask."""

    def __init__(self, environ: Mapping[str, str], journal: Journal) -> None:
        path = environ.get("PATH", "").split(os.pathsep)
        self.environ = {
            **environ,
            "PATH": os.pathsep.join([*filter(None, path), *(place for place in _SYSTEM_PATH if place not in path)]),
            "LC_ALL": "C.UTF-8",
            "LANGUAGE": "",
            "DEBIAN_FRONTEND": "noninteractive",
            "NEEDRESTART_SUSPEND": "1",
            "PYTHONUNBUFFERED": "1",
        }
        self._journal = journal

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        stdin: bytes | None = None,
        extra: Mapping[str, str] | None = None,
        directory: Path | None = None,
        timeout_seconds: float | None = None,
        first_word_seconds: float | None = None,
    ) -> Outcome:
        """Run ARGV and wait; it is ended after TIMEOUT_SECONDS, or after FIRST_WORD_SECONDS without any output."""
        self._journal.record(f"$ {' '.join(os.fspath(part) for part in argv)}\n")
        try:
            child = subprocess.Popen(
                [os.fspath(part) for part in argv],
                env={**self.environ, **(extra or {})},
                cwd=directory,
                stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            self._journal.record(f"{argv[0]}: {error.strerror}\n")
            return Outcome(code=127, output=f"{argv[0]}: {error.strerror}")
        return self._wait(child, stdin, timeout_seconds, first_word_seconds)

    def ask(self, argv: Sequence[str | Path], *, timeout_seconds: float = 30) -> Outcome:
        """Run ARGV for its answer: `output` is what it wrote to stdout, or to stderr when it failed."""
        words = [os.fspath(part) for part in argv]
        self._journal.record(f"$ {' '.join(words)}\n")
        try:
            done = subprocess.run(
                words,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="backslashreplace",
                timeout=timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Outcome(code=124, output=f"{words[0]} did not answer within {timeout_seconds:.0f} s")
        except OSError as error:
            return Outcome(code=127, output=f"{words[0]}: {error.strerror}")
        self._journal.record(done.stderr)
        return Outcome(code=done.returncode, output=done.stdout if done.returncode == 0 else done.stderr)

    def find(self, name: str) -> Path | None:
        """Return where the program NAME is, looked for in the administrator's directories as well."""
        found = shutil.which(name, path=self.environ["PATH"])
        return Path(found) if found else None

    def _wait(
        self,
        child: "subprocess.Popen[bytes]",
        stdin: bytes | None,
        timeout_seconds: float | None,
        first_word_seconds: float | None,
    ) -> Outcome:
        heard: list[str] = []
        reader = threading.Thread(target=self._listen, args=(child, heard), daemon=True)
        writer = threading.Thread(target=_feed, args=(child, stdin), daemon=True)
        reader.start()
        writer.start()
        began = time.monotonic()
        code = None
        try:
            while code is None:
                try:
                    code = child.wait(0.5)
                except subprocess.TimeoutExpired:
                    waited = time.monotonic() - began
                    silent = not heard and first_word_seconds is not None and waited > first_word_seconds
                    if silent or (timeout_seconds is not None and waited > timeout_seconds):
                        _end(child)
                        code = 124
        except BaseException:
            _end(child)
            raise
        reader.join(5)
        if code == 124:
            self._journal.record("(ended: it took too long)\n")
        return Outcome(code=code, output="".join(heard)[-_TAIL_CHARACTERS:])

    def _listen(self, child: "subprocess.Popen[bytes]", heard: list[str]) -> None:
        assert child.stdout is not None
        with child.stdout:
            for line in child.stdout:
                text = line.decode(errors="backslashreplace")
                heard.append(text)
                self._journal.record(text)


def _feed(child: "subprocess.Popen[bytes]", stdin: bytes | None) -> None:
    if child.stdin is None:
        return
    try:
        with child.stdin:
            child.stdin.write(stdin or b"")
    except BrokenPipeError:
        return


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End the child: politely, then for good."""
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
