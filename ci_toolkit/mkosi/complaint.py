"""Find, in all that mkosi and the programs below it said, what went wrong, and say it in one sentence.

`ROWS` is the table of faults, by the words of apt, pacman, dnf, tar and the shell; what is in none of them is told in
the words of whoever complained.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# How a complaint begins: of apt, pacman and git, dnf, mkosi's own options, an exception of Python.
_COMPLAINS: Final = re.compile(r"(E|[Ee]rror|ERROR|fatal|mkosi: error|[\w.]+(Error|Exception)): \S")

# A complaint further up was one that mkosi got over.
LAST: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """One sentence, without its end; the line that it comes from; and what to do, None where nobody knows."""

    sentence: str
    line: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A fault: the sentence may name what `signs` found under a name. `anywhere`: nobody gets over it."""

    sentence: str
    signs: tuple[str, ...]
    hint: str
    anywhere: bool = False


# Without the scheme, and without a password that is in an address.
_HOST: Final = r"(?:https?://)?(?:[^/@\s]*@)?(?P<host>[^/\s]+)"
_APT: Final = rf"[EW]: Failed to fetch {_HOST}\S*\s+"
_PACMAN: Final = rf"error: failed retrieving file '\S+' from {_HOST} : "
_MISSING: Final = (
    r"E: Unable to locate package (?P<package>\S+)",
    r"E: Package '(?P<package>\S+)' has no installation candidate",
    r"error: target not found: (?P<package>\S+)",
    r"Error: Unable to find a match: (?P<package>.+)",
)

ROWS: Final = (
    Row(
        sentence="a file system is full",
        # GNU tar tells of the bytes alone.
        signs=("No space left on device", "Disk quota exceeded", r"Wrote only \d+ of \d+ bytes"),
        anywhere=True,
        hint="A build lies on the file system of the --output, and its /tmp in memory: make room, or name another.",
    ),
    Row(
        sentence="a program was killed, as the kernel does where memory runs out",
        # Of a shell's child, of mkosi's own, and of mkosi.
        signs=("returned non-zero exit code (137|247)", "was killed by SIGKILL signal", r"^Killed$"),
        hint="Give the build more memory, or let it do less at a time.",
    ),
    Row(
        sentence="there is not enough memory",
        signs=("Cannot allocate memory", "^MemoryError"),
        hint="Give the build more memory, or let it ask for less.",
    ),
    Row(
        sentence="the mirror {host} does not answer in time",
        signs=(
            rf"{_APT}(Connection timed out|Connection failed|Timeout)",
            rf"{_PACMAN}(Operation too slow|Connection timed out|Operation timed out)",
            rf"Curl error \((28)\): .* for {_HOST}",
        ),
        hint="Run it again, or name another Mirror=.",
    ),
    Row(
        sentence="the name of the mirror {host} cannot be resolved",
        signs=(
            rf"{_APT}(Could not resolve|Temporary failure resolving)",
            r"^(Could not resolve|Temporary failure resolving) '(?P<host>[^']+)'",
            rf"{_PACMAN}Could not resolve host",
            rf"Curl error \((6)\): .* for {_HOST}",
        ),
        hint="Is there a network with a name server? A build has that of the machine, the container's in a container.",
    ),
    Row(
        sentence="nobody answers at the mirror {host}",
        signs=(
            rf"{_APT}(Unable to connect|Could not connect|Cannot initiate the connection)",
            # apt's last word is then that the repository has no Release file.
            r"^(Could not connect|Cannot initiate the connection) to (?P<host>[^\s:]+)",
            rf"{_PACMAN}Failed to connect",
            rf"Curl error \((7)\): .* for {_HOST}",
        ),
        hint="Is there a network, and a proxy where one is needed? Else name another Mirror=.",
    ),
    Row(
        sentence="the mirror {host} does not have what is asked for",
        signs=(
            rf"{_APT}404 ",
            rf"E: The repository '{_HOST}\S* .*' (does not have|no longer has) a Release file",
            rf"{_PACMAN}The requested URL returned error: 404",
            rf"Status code: 404 for {_HOST}",
        ),
        hint="Is it a mirror of that distribution, with that Release= or Snapshot=?",
    ),
    Row(
        sentence="the mirror {host} answers {code}",
        signs=(
            rf"{_APT}(?P<code>\d\d\d) ",
            rf"{_PACMAN}The requested URL returned error: (?P<code>\d+)",
            rf"Status code: (?P<code>\d+) for {_HOST}",
        ),
        hint="Run it again later, or name another Mirror=.",
    ),
    Row(
        sentence="the repository {host} is not signed by a key that is known",
        signs=(rf"E: The repository '{_HOST}\S* .*' is not signed",),
        hint="Is its key in the definition's sandbox tree?",
    ),
    Row(
        sentence="the package {package} is not there",
        signs=_MISSING,
        hint="Is it in that release under that name, and its repository among the sources?",
    ),
    Row(
        sentence="a file cannot be given its owner: the build's namespace lacks that id",
        # The kernel's answer in the words of coreutils and of tar.
        signs=(r"(changing ownership of .*|changing group of .*|Cannot change ownership to .*): Invalid argument",),
        hint="--runner single-id has one id, every other runner has all.",
    ),
    Row(
        sentence="{script} is not executable",
        signs=(r"^‣ (?P<script>\S+) is not executable",),
        hint="Commit it with that bit (git update-index --chmod=+x), and mount the --output without noexec.",
    ),
)


def find(lines: Sequence[str]) -> Complaint | None:
    """Return the first fault of ROWS that LINES tell of, else the first line at their end that complains.

    A package is missing as well where the lists could not be had, which apt takes for a warning: then all LINES count.
    """
    lines = [line.strip() for line in lines]
    end = lines[-LAST:]
    if any(re.search(sign, line) for sign in _MISSING for line in end):
        end = lines
    for row in ROWS:
        for line in lines if row.anywhere else end:
            for sign in row.signs:
                if found := re.search(sign, line):
                    return Complaint(sentence=row.sentence.format(**found.groupdict()), line=line, hint=row.hint)
    first = next((line for line in lines[-LAST:] if _COMPLAINS.match(line)), None)
    return None if first is None else Complaint(sentence=first.removeprefix("mkosi: error: "), line=first)
