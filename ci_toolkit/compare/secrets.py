"""What may be a secret: builds make them too, and a report is read by more people than the image."""

import re
from typing import Final

_PATHS: Final = re.compile(
    r"shadow|credstore|credential|passw|secret|token|private|random-seed|gnupg|\bkeys?\b|_key\b|\.(key|pem|p12|pfx|jks)$",
    re.IGNORECASE,
)
_TEXTS: Final = re.compile(r"PRIVATE KEY|passw|secret|token|\$\d\w*\$|\$[gy]{1,2}\$", re.IGNORECASE)


def may_be_at(path: tuple[str, ...]) -> bool:
    """Tell whether what lies at PATH may be a secret, by its name."""
    return any(_PATHS.search(step) for step in path)


def may_be_in(text: str) -> bool:
    """Tell whether TEXT, some lines of a file, may show a secret."""
    return _TEXTS.search(text) is not None
