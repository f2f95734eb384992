"""A patience that does not sleep."""

from dataclasses import dataclass, field

from ci_toolkit.forges.patience import Patience


@dataclass(slots=True, kw_only=True)
class Waits:
    """A patience whose waits are written down instead of slept."""

    seconds: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def patience(self) -> Patience:
        return Patience(sleep=self.seconds.append, spread=lambda: 0.0, tell=self.told.append)
