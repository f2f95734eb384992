"""What every runner offers: its reasons for not being used, and a place to build in."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ci_toolkit.console import Console
from ci_toolkit.host.capabilities import Capabilities
from ci_toolkit.host.environment import Environment
from ci_toolkit.process import Sandbox

# Where a build finds everything that is its own, on every machine: the source tree, its HOME, the output.
INSIDE: Final = Path("/var/tmp/ci-toolkit")

# Removes what the build left in INSIDE, but not the package cache, which is mounted there.
EMPTY: Final = f"find {INSIDE} -mindepth 1 -maxdepth 1 ! -name packages -exec rm -rf {{}} +"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a runner is asked for.

    `scratch` is an empty directory of this machine that appears as INSIDE in the build and is on the file system of
    the output; `packages` is the package cache, kept between runs, which appears as INSIDE / "packages". `rescue` puts
    a log where it survives the run, and returns that place. `network` is false where the build is told to do without: a
    place that is a machine of its own, or a container, then has none.
    """

    scratch: Path
    packages: Path
    console: Console
    environ: Mapping[str, str]
    rescue: Callable[[Path], Path]
    network: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolkitImage:
    """The container image that a build ran in: the name that was asked for, the digest of its configuration, which is
    the engine's id for it ("sha256:..."), and the names with the digest of the manifest that a registry knows it by.
    """

    name: str
    id: str
    digests: tuple[str, ...] = ()


class Place(Protocol):
    """A runner that has been started; it ends with its context."""

    def sandbox(self, environment: Environment) -> Sandbox:
        """Return a sandbox with the surroundings ENVIRONMENT."""

    def stop(self) -> None:
        """End every program that runs here, as another thread may want it; nothing can be run afterwards."""

    @property
    def one_at_a_time(self) -> str | None:
        """Why only one program can run here at a time, None where several can."""

    @property
    def cannot_vary(self) -> Mapping[str, str]:
        """The variations that this place cannot give, each with its reason."""

    @property
    def emulated(self) -> bool:
        """Whether its processors are, so that all takes longer."""

    @property
    def description(self) -> str:
        """One line for the report."""

    @property
    def toolkit_image(self) -> ToolkitImage | None:
        """The container image that is built in, None where none was started for it."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the report has to know of images that are built here."""


class Runner(Protocol):
    """A module of this room."""

    NAME: str

    def obstacles(self, capabilities: Capabilities) -> tuple[str, ...]:
        """Return why this runner cannot be used here; empty when it can."""

    def start(self, request: Request) -> AbstractContextManager[Place]:
        """Open the place; raises HostError when it cannot be opened after all."""
