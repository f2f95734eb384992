"""What this machine can do, each answer with its reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One thing that was tried: `reason` is what was seen, `why` why it matters, `fix` what mends it."""

    name: str
    available: bool
    reason: str
    why: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """One thing of the host that would reach an image: what was found, what a build is given instead."""

    name: str
    found: str
    normal: str
    leaks: bool
    why: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """Everything that was probed; look one up by its name."""

    capabilities: tuple[Capability, ...]
    leaks: tuple[Leak, ...]

    def __getitem__(self, name: str) -> Capability:
        for capability in self.capabilities:
            if capability.name == name:
                return capability
        raise KeyError(name)
