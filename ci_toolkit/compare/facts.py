"""What is known of the two builds besides their images: the surroundings, the clocks, the epoch."""

from dataclasses import dataclass

from ci_toolkit.host.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A value of the surroundings that differed, as it may turn up inside an image."""

    name: str
    first: str
    second: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """An identifier of the image's own structure that differs, as people write it, and the cause it was put down to."""

    first: str
    second: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the rules may know; everything is optional, since `compare` is given two images and nothing else.

    `epoch` is SOURCE_DATE_EPOCH of both builds; `first_clock` and `second_clock` are when each build began; all in
    seconds since the epoch. `identifiers` and `inside` are filled in by `explain` from the differences
    themselves; `inside` holds the path of everything that has a difference within, `alone` the path of everything that
    is in one image only, `root_hashes` both values of each root of dm-verity that differs.
    """

    distribution: str | None = None
    format: str | None = None
    epoch: int | None = None
    first_clock: int | None = None
    second_clock: int | None = None
    first: Environment | None = None
    second: Environment | None = None
    identifiers: tuple[Identifier, ...] = ()
    inside: frozenset[tuple[str, ...]] = frozenset()
    alone: frozenset[tuple[str, ...]] = frozenset()
    root_hashes: tuple[tuple[str, str], ...] = ()

    @property
    def umasks(self) -> tuple[int, int] | None:
        if self.first is None or self.second is None:
            return None
        return self.first.umask, self.second.umask

    @property
    def leaks(self) -> tuple[Leak, ...]:
        """The values that differed, most specific first: a build path may lie below the home directory."""
        if self.first is None or self.second is None:
            return ()
        pairs = (
            ("build-path", self.first.build_path, self.second.build_path),
            ("home", self.first.home, self.second.home),
            ("hostname", self.first.hostname, self.second.hostname),
            ("locale", self.first.locale, self.second.locale),
            ("zone", self.first.zone, self.second.zone),
        )
        return tuple(
            Leak(name=name, first=first, second=second)
            for name, first, second in pairs
            if first and second and first != second
        )
