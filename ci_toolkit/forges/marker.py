"""The hidden mark by which a comment is found again."""

import hashlib
import re
from typing import Final

_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9]+")


def mark(*names: str) -> str:
    """Return the mark of the report that NAMES tell apart from all others: image, workflow, job.

    An HTML comment on one line. Names may hold anything; the digest tells apart what the readable part cannot.
    """
    digest = hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    readable = "-".join(part for part in (_NOT_PLAIN.sub("-", name).strip("-") for name in names) if part)
    return f"<!-- ci-toolkit report {digest} {readable[:80].strip('-') or 'report'} -->"


def carry(marker: str, text: str) -> str:
    """Return TEXT with MARKER as its first line."""
    return f"{marker}\n{text}"


def is_carried(marker: str, body: str) -> bool:
    """Tell whether BODY begins with MARKER; one that is quoted further down is not ours."""
    return body.lstrip().startswith(marker)
