"""The record of one build: what it was made from, where and how, and what came out."""

from dataclasses import dataclass
from typing import Final

from ci_toolkit.host.environment import Environment
from ci_toolkit.mkosi.build import Artefact
from ci_toolkit.runners.runner import ToolkitImage

# The name of the file beside the image.
NAME: Final = "build-record.json"


def is_record(name: str) -> bool:
    """Tell whether a published file NAME is a record: build-record.json, or one with an image's name before it."""
    return name == NAME or name.endswith((f"/{NAME}", f".{NAME}"))


def beside(record: str, output: str) -> tuple[str, ...]:
    """Return the names that OUTPUT may have beside the file RECORD, as published.

    Of several images in one place, what two of them have carries the image's name: "cloud.build-record.json" and,
    maybe, "cloud.image.raw".
    """
    folder = f"{record.rpartition('/')[0]}/" if "/" in record else ""
    prefix = record.removesuffix(NAME)
    return tuple(dict.fromkeys((f"{prefix}{output}", f"{folder}{output}")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the definition comes from.

    `repository` is the address that anybody may clone, None where there is none; `directory` is relative to its root.
    `digest` is the SHA-256 of the definition's files, as records.digest computes it; `left_out` names the secret and
    local files that it leaves out. `dirty` tells that the work tree had other content than the commit.
    """

    repository: str | None
    commit: str | None
    dirty: bool
    directory: str
    digest: str
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What was asked for, and what it was pinned to, as mkosi resolved it.

    `arguments` are those of the caller, without secrets; `epoch` is SOURCE_DATE_EPOCH in seconds. `suites` are the
    package sources of the machine that took the place of mkosi's own.
    """

    name: str
    distribution: str
    release: str
    architecture: str
    format: str
    profiles: tuple[str, ...]
    arguments: tuple[str, ...]
    snapshot: str | None
    mirror: str | None
    suites: tuple[str, ...]
    epoch: int | None
    seed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A package in the image; `sha256` is that of the file that it came from, None where the cache has none."""

    name: str
    architecture: str
    version: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Varying:
    """What two builds of the same bits may have different: `started` in seconds since the epoch, and how it went.

    `verdict` is what a second build in other surroundings said: "identical", "different", None without one.
    """

    started: float
    seconds: float
    place: str
    run_url: str | None = None
    verdict: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One build. All but `varying` is the same for the same bits from the same place.

    `tools` are names and versions of the programs that decide the bits; `runner` is a choice of the setting of that
    name; `packages` is None where mkosi left no manifest; `main` is the name of the image among `outputs`, or of the
    directory that holds them.
    """

    toolkit: str
    origin: Origin
    image: Image
    runner: str
    toolkit_image: ToolkitImage | None
    tools: tuple[tuple[str, str], ...]
    surroundings: Environment
    command: tuple[str, ...]
    packages: tuple[Installed, ...] | None
    main: str
    outputs: tuple[Artefact, ...]
    varying: Varying

    @property
    def title(self) -> str:
        """What names the image in texts."""
        return self.main or self.image.name
