"""The one value that every renderer reads."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ci_toolkit.ci.job import Job
from ci_toolkit.compare.comparison import Comparison, Verdict
from ci_toolkit.compare.finding import Finding
from ci_toolkit.host.environment import Variation

if TYPE_CHECKING:
    # Most comparisons are of images that nobody built here: they need not wait for what builds and starts them.
    from ci_toolkit.boot.outcome import Boot
    from ci_toolkit.images.listing import Listed
    from ci_toolkit.mkosi.build import Artefact, Build
    from ci_toolkit.reports.change import Change

# Of a report that the job of a fork wrote, and another job posts.
FORK_NOTE: Final = (
    "This change comes from a fork. Its own job, which runs the fork's code, wrote this report; "
    "the job that posts it has checked its form, not its truth."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why there is no verdict. The first line of `message` is a sentence, the others are mkosi's last words."""

    exit_code: int
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """One format of the image: its file, or the files of its directory, as paths below the output.

    `reason` says why there are none, "" where there are.
    """

    format: str
    files: "tuple[Artefact, ...]" = ()
    seconds: float = 0.0
    reason: str = ""

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A comparison, explained; of two given images, or of two builds of one configuration.

    `title` names the image ("examples/debian"); `verdict` comes from the digests of every artefact; `comparison` is
    None when all digests agree (nothing was left to compare) and None with verdict DIFFERENT never happens.
    `builds` and `variations` are empty for a plain `compare`. `facts` are lines of what was used, as (name, value):
    runner, mkosi, SOURCE_DATE_EPOCH, seed, tools. `findings` are in the order to read them; a finding with
    `consequence_of` is shown under its causes. `explained_bytes` is how many of the differing bytes a finding
    with a named cause accounts for. `notes` are warnings to keep with the result.

    `variant` tells builds of one definition apart: profiles, architecture. `failure` is there exactly with verdict
    FAILED, and then nothing was built. `files` lists what is in the first build's image, None where that is not known,
    and is stored beside the report. `changes` are against earlier builds' reports, and are not stored.

    `once` tells that one build was asked for, without a verdict. `formats` and `boots` are what was made of the image
    that came out, and how it started.
    """

    title: str
    verdict: Verdict
    comparison: Comparison | None
    findings: tuple[Finding, ...] = ()
    explained_bytes: int = 0
    builds: "tuple[Build, ...]" = ()
    variations: tuple[Variation, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    job: Job | None = None
    artifact_url: str | None = None
    variant: str = ""
    failure: Failure | None = None
    files: "tuple[Listed, ...] | None" = None
    changes: "tuple[Change, ...]" = ()
    once: bool = False
    formats: tuple[Converted, ...] = ()
    boots: "tuple[Boot, ...]" = ()
