"""How long one build may take: the setting `time-limit`.

By itself a build gets two hours where processors are real: the largest images take a quarter of that with an empty
package cache, and two builds still fit into the six hours of a job on GitHub. An emulated machine takes 6 to 50 times
as long (docs/vm.md), but nobody waits for days: it gets ten hours, five times as much.
"""

import math
from typing import Final

from ci_toolkit.errors import UsageError

_MINUTES: Final = {False: 120.0, True: 600.0}


def minutes(text: str, *, emulated: bool) -> float | None:
    """Return how many minutes TEXT (`auto`, `none`, or a number) lets one build take, None for no limit.

    EMULATED tells that the processors are. Raises UsageError.
    """
    if text == "auto":
        return _MINUTES[emulated]
    if text == "none":
        return None
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        raise UsageError(f"time-limit is {text!r}", hint="It is a number of minutes, auto, or none.")
    return found or None
