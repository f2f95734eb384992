"""A build by real root with CAP_SYS_ADMIN in no user namespace of ours: the measure of what all runners give.

    python -m tests.integration.true_root IMAGE OUTPUT

It is no runner, and nothing of the toolkit ever builds so. Everything but the place is the toolkit's own: the same
source tree, the same call of mkosi, the same paths, host name and umask.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import patch

from ci_toolkit import pipeline, process
from ci_toolkit.console import Console
from ci_toolkit.host.capabilities import Capabilities
from ci_toolkit.host.environment import NORMAL, Environment
from ci_toolkit.host.namespaces import effective_capabilities
from ci_toolkit.process import Command, Completed
from ci_toolkit.runners.runner import INSIDE, Request
from ci_toolkit.site import Wishes

# What automake's tests mean by it: not made here.
SKIPPED = 77


@dataclass(frozen=True, kw_only=True)
class RootSandbox:
    """Commands run as they are; `scratch` is mounted where builds lie."""

    scratch: Path

    def run(
        self,
        command: Command,
        *,
        on_line: Callable[[str], None] | None = None,
        timeout_seconds: float | None = None,
    ) -> Completed:
        here = replace(command, directory=command.directory or INSIDE)
        return process.run(here, on_line=on_line, timeout_seconds=timeout_seconds)

    def copy_in(self, source: Path, target: Path) -> None:
        shutil.copytree(source, target, symlinks=True)
        subprocess.run(("chown", "--recursive", "--no-dereference", "0:0", target), check=True)

    def copy_out(self, source: Path, target: Path) -> None:
        shutil.move(self.scratch / source.relative_to(INSIDE), target)

    def make(self, *directories: Path) -> None:
        for directory in directories:
            directory.mkdir(parents=True, exist_ok=True)

    def share(self, source: Path, target: Path) -> None:
        """One build alone has nobody to share with."""

    def own(self, *places: Path) -> None:
        """Root owns everything."""

    def give_back(self, place: Path) -> None:
        """Root owns everything."""


@dataclass(frozen=True, kw_only=True)
class RootPlace:
    """This machine as root sees it."""

    scratch: Path
    description: str = "true-root: CAP_SYS_ADMIN, no user namespace"
    cannot_vary: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    emulated: bool = False
    one_at_a_time: str = "it is one build alone"
    toolkit_image: None = None

    def stop(self) -> None:
        """Nobody else runs anything here."""

    def sandbox(self, environment: Environment) -> RootSandbox:
        assert environment == NORMAL
        return RootSandbox(scratch=self.scratch)


class TrueRoot:
    """Stands in for a runner."""

    NAME = "true-root"

    @contextmanager
    def start(self, request: Request) -> Iterator[RootPlace]:
        os.umask(NORMAL.umask)
        for source, target in ((request.scratch, INSIDE), (request.packages, INSIDE / "packages")):
            target.mkdir(parents=True, exist_ok=True)
            subprocess.run(("mount", "--bind", source, target), check=True)
        try:
            yield RootPlace(scratch=request.scratch)
        finally:
            subprocess.run(("umount", "--recursive", INSIDE), check=True)


def main(arguments: list[str]) -> int:
    """Build and print the digest, as `ci-toolkit build` does."""
    if "CAP_SYS_ADMIN" not in effective_capabilities():
        print("root here has no CAP_SYS_ADMIN", file=sys.stderr)
        return SKIPPED
    assert os.uname().nodename == NORMAL.hostname
    wishes = Wishes(directory=Path(arguments[0]), output=Path(arguments[1]))
    nothing = Capabilities(capabilities=(), leaks=())
    with (
        patch("ci_toolkit.host.probe.probe", lambda **_: nothing),
        patch("ci_toolkit.runners.choose.choose", lambda *_: TrueRoot()),
        patch("ci_toolkit.runners.choose.passed_over", lambda *_: ()),
    ):
        report = pipeline.build(wishes, {}, Console())
    print(report.builds[0].main.sha256)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
