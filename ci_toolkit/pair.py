"""The two builds of a verification: both at once where the machine has room for that, or one after the other.

At once, the second one starts some seconds after the first has its package lists, takes what the first one has fetched,
and is kept some seconds behind it: it fetches nothing, and its clock is another.
"""

import queue
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ci_toolkit.console import Console
from ci_toolkit.host import environment, room
from ci_toolkit.host.environment import NORMAL, Environment, Variation
from ci_toolkit.mkosi.build import Build
from ci_toolkit.mkosi.turns import LAG_SECONDS, Calls, Side, Turns
from ci_toolkit.runners.runner import Place
from ci_toolkit.site import PACKAGES, Attempt, Site

_FIRST: Final = "First build"
_SECOND: Final = "Second build, in other surroundings"


# What writes a time into FAT or into a file may have whole seconds, or two of them.
_TELLING_SECONDS: Final = 2.0


def build(site: Site, surroundings: Environment) -> "Pair":
    """Build the image in NORMAL surroundings and in SURROUNDINGS."""
    reason = obstacle(site, surroundings)
    if reason is None:
        site.console.say("Both builds run at once")
        return _at_once(site, surroundings)
    site.console.say(f"One build after the other: {reason}")
    return _in_turn(site, surroundings)


def second(place: Place, wanted: frozenset[str]) -> tuple[Environment, tuple[Variation, ...]]:
    """Return the second build's surroundings, and what was wanted but cannot be varied here."""
    refused = {name: reason for name, reason in place.cannot_vary.items() if name in wanted}
    kept = tuple(Variation(name=name, first="", second="", skipped=reason) for name, reason in sorted(refused.items()))
    return environment.varied(wanted - set(refused)), kept


def obstacle(site: Site, surroundings: Environment) -> str | None:
    """Return why the builds cannot run at once."""
    if site.wishes.parallel == "never":
        return "so it was asked for"
    if surroundings.build_path == NORMAL.build_path:
        return "both have the same path"
    return site.place.one_at_a_time or room.obstacle(site.workshop.scratch)


def _in_turn(site: Site, surroundings: Environment) -> "Pair":
    console = site.console
    with console.step(_FIRST), console.foreign_output():
        one = site.begin(NORMAL, "first")
        first = one.run(console.foreign)
    with console.step(_SECOND), console.foreign_output():
        second = site.begin(surroundings, "second").after(one).run(console.foreign)
    return Pair(first=first, second=second)


def own_packages(surroundings: Environment) -> Path:
    """Return where the second of two builds at once has packages of its own, a path inside."""
    return Path(surroundings.build_path).parent / PACKAGES.name


def _at_once(site: Site, surroundings: Environment) -> "Pair":
    one = site.begin(NORMAL, "first")
    other = site.begin(surroundings, "second", packages=own_packages(surroundings))
    follower = _Follower(site=site, first=one, second=other)
    console = site.console

    def hear(line: str) -> None:
        follower.first_calls.hear(line)
        if follower.first_calls.has_lists:
            follower.start()

    try:
        with console.step(_FIRST), console.foreign_output():
            first = one.run(console.foreign, hear)
        follower.first_is_over.set()
        follower.start()
        with console.step(_SECOND), console.foreign_output():
            second = follower.finish(console)
        lag = follower.first_calls.lag(follower.calls)
        return Pair(first=first, second=second, same_time=lag is None or lag < _TELLING_SECONDS)
    except BaseException:
        site.place.stop()
        follower.join()
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two builds; `same_time` tells that a step of both fell into the same seconds, so that a clock may not show."""

    first: Build
    second: Build
    same_time: bool = False


@dataclass(kw_only=True)
class _Follower:
    """The second build, in a thread of its own; what it says is kept until somebody listens."""

    site: Site
    first: Attempt
    second: Attempt
    first_calls: Calls = field(default_factory=Calls)
    calls: Calls = field(default_factory=Calls)
    first_is_over: threading.Event = field(default_factory=threading.Event)
    said: "queue.SimpleQueue[str | None]" = field(default_factory=queue.SimpleQueue)
    thread: threading.Thread | None = None
    built: Build | None = None
    failure: BaseException | None = None

    def start(self) -> None:
        """Start the build, unless it has been."""
        if self.thread is None:
            self.thread = threading.Thread(target=self._work)
            self.thread.start()

    def finish(self, console: Console) -> Build:
        """Show what was said, wait for the end, and return what was built, or raise what was raised."""
        while (line := self.said.get()) is not None:
            console.foreign(line)
        if self.failure is not None:
            raise self.failure
        assert self.built is not None
        return self.built

    def join(self) -> None:
        """Wait for the end, whatever it is."""
        if self.thread is not None:
            self.thread.join()

    def _work(self) -> None:
        try:
            self.first_is_over.wait(LAG_SECONDS)
            with self._turns():
                self.built = self.second.after(self.first).run(self.said.put, self.calls.hear)
        except BaseException as error:
            self.failure = error
        finally:
            self.said.put(None)

    def _turns(self) -> Turns:
        workshop, target = self.site.workshop, self.second.call.packages
        assert target is not None
        return Turns(
            first=Side(packages=workshop.packages, calls=self.first_calls),
            second=Side(packages=workshop.scratch / target.relative_to(PACKAGES.parent), calls=self.calls),
            share=lambda: self.second.sandbox.share(PACKAGES, target),
            first_is_over=self.first_is_over,
        )
