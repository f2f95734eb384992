"""Hand a release to targets: see first that all take it, upload to all, and only then publish."""

from collections.abc import Sequence

from ci_toolkit.console import Console
from ci_toolkit.errors import UsageError
from ci_toolkit.formats.work import Progress
from ci_toolkit.publish.files import Ahead, Release
from ci_toolkit.publish.target import Target

_MB = 1_000_000


def check(release: Release, targets: Sequence[Target]) -> None:
    """See that each of TARGETS takes RELEASE. Raises UsageError with all that stands against it."""
    if not release.files and not release.containers:
        raise UsageError("there is nothing to publish", hint="Is it the directory that holds the files?")
    found = [f"{target.name}: {reason}" for target in targets for reason in target.obstacles(release)]
    if found:
        raise UsageError(
            "the release cannot be published so:\n" + "\n".join(found),
            hint="Publish other formats (`ci-toolkit convert --fit` tells which fit), or on another target.",
        )


def upload(release: Release, target: Target, console: Console) -> None:
    """Upload what is missing on TARGET."""

    def watch(name: str, size: int) -> Ahead:
        return Progress(name, size, console.say)

    sent = target.upload(release, watch)
    size = sum(file.size for file in sent)
    whole = "nothing was missing" if not sent else f"{len(sent)} files, {size / _MB:,.1f} MB"
    console.say(f"Uploaded to {target.name}: {whole}")


def publish(release: Release, target: Target, console: Console) -> str:
    """Publish what was uploaded, and return where it is."""
    where = target.publish(release)
    console.say(f"Published: {where}")
    return where
