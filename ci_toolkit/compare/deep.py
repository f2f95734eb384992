"""Let diffoscope look into the files that differ and that no rule explains."""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ci_toolkit.compare import secrets
from ci_toolkit.compare.comparison import Comparison, Skipped
from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.explain import UNKNOWN, explain
from ci_toolkit.compare.facts import Facts
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Data
from ci_toolkit.process import MINIMAL, Command, Completed, run

MISSING: Final = "diffoscope is not installed here, and so looked into nothing; Debian has it in diffoscope-minimal"

# Formats that are opened here, and that diffoscope knows better as a whole.
_PROGRAMS: Final = frozenset(("elf", "pyc"))
_OPTIONS: Final = (
    *("--text", "said", "--text-color", "never", "--no-progress", "--exclude-directory-metadata", "yes"),
    *("--max-diff-block-lines", "200", "--max-container-depth", "4"),
)
# POSIX counts the memory in KiB, and the size of a file in blocks of 512 bytes.
_LIMITED: Final = 'ulimit -v "$1" && ulimit -f "$2" && shift 2 && exec "$@" >/dev/null 2>messages'
_CUT: Final = "… (shortened)"
_HIDDEN: Final = "… (a line that may be a secret)"
_PLAIN: Final = re.compile(r"[^A-Za-z0-9._+-]")
_NAME_CHARACTERS: Final = 80
_OUT_OF_MEMORY: Final = re.compile(r"MemoryError|Cannot allocate memory|bad_alloc|out of memory", re.IGNORECASE)
# Ended by SIGABRT, SIGKILL or SIGSEGV, as it happens to programs that get no more memory.
_BROKEN_OFF: Final = (134, 137, 139)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How far a look may go: `files` in all and the `size` of one, and for each of them `seconds`, `memory` and `text`.

    `memory` and all sizes are in bytes. No file that diffoscope unpacks to may be larger than `memory` either.
    """

    files: int = 20
    size: int = 256 << 20
    seconds: float = 60
    memory: int = 2_000_000_000
    text: int = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Diffoscope:
    """The PROGRAM, None where there is none; `facts` are those by which the differences will be explained."""

    program: str | None
    facts: Facts
    effort: Effort = Effort()

    def look(self, comparison: Comparison, contents: Mapping[int, tuple[Data, Data]]) -> Comparison:
        """Return COMPARISON with what diffoscope says of those of its CONTENTS that nothing explains.

        Where it could not say anything, the reason is one more `Skipped`.
        """
        wanted = _unexplained(comparison.differences, self.facts)
        if not wanted:
            return comparison
        if self.program is None:
            return replace(comparison, skipped=(*comparison.skipped, Skipped(path=(), reason=MISSING)))
        differences, skipped = list(comparison.differences), list(comparison.skipped)
        open_yet = [index for index in wanted if index in contents]
        for index in open_yet[: self.effort.files]:
            said, reason = self._ask(self.program, differences[index], *contents[index])
            differences[index] = replace(differences[index], diffoscope=said)
            if reason:
                skipped.append(Skipped(path=differences[index].path, reason=reason))
        if left_out := len(wanted) - min(len(open_yet), self.effort.files):
            reason = f"diffoscope was not shown {left_out} more of the files that no rule explains"
            skipped.append(Skipped(path=(), reason=reason))
        return replace(comparison, differences=tuple(differences), skipped=tuple(skipped))

    def _ask(self, program: str, difference: Difference, a: Data, b: Data) -> tuple[str | None, str]:
        """Return what diffoscope says of two contents, and why it could not say all."""
        if secrets.may_be_at(difference.path):
            return None, "not shown to diffoscope, since it may be a secret"
        if max(a.size, b.size) > self.effort.size:
            return None, f"not shown to diffoscope, since it is larger than {self.effort.size:,} bytes"
        try:
            with tempfile.TemporaryDirectory(prefix="ci-toolkit-", ignore_cleanup_errors=True) as name:
                directory = Path(name)
                for side, data in (("first", a), ("second", b)):
                    (directory / side).mkdir()
                    _write(data, directory / side / _file_name(difference))
                ended = self._run(program, directory, _file_name(difference))
                said = self._said(directory)
                return said, self._reason(ended, directory, said)
        except (OSError, UnreadableError) as error:
            return None, f"not shown to diffoscope: {getattr(error, 'message', None) or error}"

    def _run(self, program: str, directory: Path, name: str) -> Completed:
        """Run it with files for all that it writes: what it writes is not to fill the memory of this process."""
        (directory / "tmp").mkdir()
        options = (*_OPTIONS, "--max-text-report-size", str(2 * self.effort.text))
        return run(
            Command(
                argv=("sh", "-c", _LIMITED, "sh", str(self.effort.memory // 1024), str(self.effort.memory // 512))
                + (program, *options, f"first/{name}", f"second/{name}"),
                environment={**MINIMAL, "HOME": str(directory), "TMPDIR": str(directory / "tmp")},
                directory=directory,
            ),
            timeout_seconds=self.effort.seconds,
        )

    def _said(self, directory: Path) -> str | None:
        """Return the text that diffoscope left, in whole lines and without those that may be secrets."""
        text = _beginning(directory / "said", self.effort.text + 1)
        if not text.strip() or "PRIVATE KEY" in text:
            return None
        lines = text.splitlines()
        if len(text) > self.effort.text:
            lines = [*lines[:-1], _CUT]
        return "\n".join(_HIDDEN if secrets.may_be_in(line) else line for line in lines)

    def _reason(self, ended: Completed, directory: Path, said: str | None) -> str:
        """Return why diffoscope could not say all, "" where it could.

        Exit code 0 is no difference to it, and 1 is one; but with 1 ends what Python could not even start.
        """
        if ended.exit_code == 0 or (ended.exit_code == 1 and said is not None):
            return ""
        if ended.exit_code == 124:
            return f"diffoscope took longer than {self.effort.seconds:g} seconds"
        messages = _beginning(directory / "messages", 1 << 20) or ended.stderr
        if _OUT_OF_MEMORY.search(messages) or ended.exit_code in _BROKEN_OFF:
            return f"diffoscope needed more than {self.effort.memory / 1e9:g} GB of memory"
        last = next((line.strip() for line in reversed(messages.splitlines()) if line.strip()), "without a word")
        return f"diffoscope failed with exit code {ended.exit_code}: {last[:200]}"


def find(environ: Mapping[str, str]) -> str | None:
    """Return where diffoscope is installed, None where it is not; virtual environments are in the caller's PATH."""
    return shutil.which("diffoscope", path=os.pathsep.join(filter(None, (MINIMAL["PATH"], environ.get("PATH")))))


def _unexplained(differences: Sequence[Difference], facts: Facts) -> list[int]:
    """Return the indices of the contents that no rule explains; of programs as a whole, since sections tell less."""
    files = {one.path: index for index, one in enumerate(differences) if one.field is Field.CONTENT and one.opened}
    unknown = [index for one in explain(differences, facts) if one.cause == UNKNOWN.identifier for index in one.members]
    found: dict[int, None] = {}
    for index in sorted(unknown):
        one = differences[index]
        file = next((files[path] for path in (one.path, one.path[:-1]) if path in files), None)
        if one.container in _PROGRAMS and file is not None:
            found[file] = None
        elif one.field is Field.CONTENT:
            found[index] = None
    return list(found)


def _file_name(difference: Difference) -> str:
    """The file's own name, by which diffoscope tells some formats, without anything that could mean something else."""
    last = difference.path[-1] if difference.path else ""
    name = _PLAIN.sub("_", last.rpartition("/")[2])[-_NAME_CHARACTERS:]
    return f"_{name}" if name.startswith(("-", ".")) or not name else name


def _write(data: Data, path: Path) -> None:
    with path.open("wb") as file:
        for chunk in data.chunks():
            file.write(chunk)


def _beginning(path: Path, size: int) -> str:
    """Return the first SIZE bytes of a file as text, "" where there is none."""
    try:
        with path.open("rb") as file:
            return file.read(size).decode("utf-8", "backslashreplace")
    except OSError:
        return ""
