"""The hidden marks in a comment: by which it is found again, and which pipeline wrote it last."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9]+")
_STAMP: Final = re.compile(r"<!-- ci-toolkit run (\d{1,18}) commit ([0-9a-f]{40,64}|none) -->")
# In the place of the first line that people see.
_OUTDATED: Final = re.compile(r"> \*\*Outdated:\*\* [^\n]*\n\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Which pipeline wrote a comment, and for which commit; `run` grows from pipeline to pipeline, 0 is not known."""

    run: int = 0
    commit: str | None = None

    def is_before(self, other: "Stamp") -> bool:
        """Tell whether OTHER is of a later pipeline for another commit."""
        return self.run < other.run and self.commit != other.commit


def mark(*names: str) -> str:
    """Return the mark of the report that NAMES tell apart from all others: image, workflow, job.

    An HTML comment on one line. Names may hold anything; the digest tells apart what the readable part cannot.
    """
    digest = hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    readable = "-".join(part for part in (_NOT_PLAIN.sub("-", name).strip("-") for name in names) if part)
    return f"<!-- ci-toolkit report {digest} {readable[:80].strip('-') or 'report'} -->"


def carry(marker: str, text: str, stamp: Stamp | None = None) -> str:
    """Return TEXT with MARKER as its first line, and STAMP as its second."""
    if stamp is None or not stamp.run:
        return f"{marker}\n{text}"
    return f"{marker}\n<!-- ci-toolkit run {stamp.run} commit {stamp.commit or 'none'} -->\n{text}"


def is_carried(marker: str, body: str) -> bool:
    """Tell whether BODY begins with MARKER; one that is quoted further down is not ours."""
    return body.lstrip().startswith(marker)


def read(marker: str, body: str) -> tuple[Stamp, str]:
    """Return the stamp and the text of BODY, which carries MARKER."""
    rest = _plain(body).removeprefix(marker).removeprefix("\n")
    line, _, text = rest.partition("\n")
    if (found := _STAMP.fullmatch(line)) is None:
        return Stamp(), rest
    return Stamp(run=int(found[1]), commit=None if found[2] == "none" else found[2]), text


def outdate(text: str, commit: str | None) -> str:
    """Return TEXT with a first line that says that COMMIT is being built, in the place of an earlier such line."""
    what = f"`{commit[:12]}`" if commit else "a newer commit"
    return (
        f"> **Outdated:** {what} is being built.\n\n{_OUTDATED.sub('', text, count=1) if is_outdated(text) else text}"
    )


def is_outdated(text: str) -> bool:
    """Tell whether TEXT begins with such a line."""
    return _OUTDATED.match(text) is not None


def outdated_as(text: str, other: str) -> str:
    """Return TEXT below the first line of OTHER that says what is being built."""
    found = _OUTDATED.match(other)
    return f"{found[0]}{text}" if found else text


def _plain(body: str) -> str:
    # GitHub hands lines out as they came, GitLab and people's editors with a carriage return.
    return body.replace("\r\n", "\n").lstrip()
