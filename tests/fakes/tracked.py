"""What the security trackers hand out, in their shapes, with what a test wants said."""

import io
import json
from typing import Any


def group(
    package: str, fixed: str | None, *issues: str, severity: str = "High", status: str = "Fixed"
) -> dict[str, Any]:
    """A group of Arch's all.json, with all of its members."""
    return {
        "name": "AVG-2843",
        "packages": [package],
        "status": status,
        "severity": severity,
        "type": "multiple issues",
        "affected": "0.1-1",
        "fixed": fixed,
        "ticket": None,
        "issues": list(issues),
        "advisories": ["ASA-202601-1"],
    }


def state(fixed: str | None, *, status: str = "resolved", urgency: str = "not yet assigned") -> dict[str, Any]:
    """What Debian's file says of one issue in one release; an open one has no version."""
    told: dict[str, Any] = {"status": status, "repositories": {"trixie": "1.0-1", "trixie-security": "1.1-1"}}
    return {**told, **({} if fixed is None else {"fixed_version": fixed}), "urgency": urgency}


def issue(**releases: dict[str, Any]) -> dict[str, Any]:
    """What Debian's file says of one issue, by releases."""
    return {"description": 'It "overflows" \\ {[', "debianbug": 1098765, "scope": "remote", "releases": releases}


def file(told: object) -> io.BytesIO:
    """What is downloaded."""
    return io.BytesIO(json.dumps(told).encode())
