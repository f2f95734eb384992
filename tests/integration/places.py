"""The toolkit called by each runner, in surroundings that can be looked at while it runs and after it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from ci_toolkit.runners.container import LOCAL_IMAGE
from tests.integration import small

ROOT: Final = Path(__file__).parents[2]
IMAGE: Final = os.environ.get("CI_TOOLKIT_IMAGE", LOCAL_IMAGE)
RUNNERS: Final = ("container", "unprivileged", "vm")

# What runs in a container of ours before and after a build.
_KEEPER: Final = ("sleep", "infinity")
_LOOK: Final = "ls -A /tmp /var/tmp /dev/shm; cat /proc/self/mounts"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where `ci-toolkit --runner RUNNER` is called: in the container `within`, or on this machine where that is empty.

    `base` is a directory that has the same path there.
    """

    runner: str
    base: Path
    within: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    def build(self, definition: Path, *arguments: str, verb: str = "build") -> "subprocess.CompletedProcess[str]":
        """Build DEFINITION to base/output and wait for it."""
        argv = self.argv(definition, *arguments, verb=verb)
        return subprocess.run(
            argv, cwd=ROOT, env=self.environ(), capture_output=True, text=True, check=False, timeout=600
        )

    def argv(self, definition: Path, *arguments: str, verb: str = "build") -> tuple[str, ...]:
        toolkit = (sys.executable, "-m", "ci_toolkit") if not self.within else ("ci-toolkit",)
        call = (*toolkit, verb, f"{definition}", "--runner", self.runner, f"--output={self.base}/output", *arguments)
        # The number of the process, which docker does not tell.
        noted = ("sh", "-c", f'echo $$ > "{self.base}/pid"; exec "$@"', "sh", *call)
        if not self.within:
            return noted
        options = (word for name, value in self.variables.items() for word in ("--env", f"{name}={value}"))
        return ("docker", "exec", *options, self.within, *noted)

    def environ(self) -> dict[str, str]:
        return small.environ() | dict(self.variables)

    def signal(self, number: signal.Signals) -> None:
        """Send NUMBER to the toolkit itself."""
        pid = (self.base / "pid").read_text(encoding="ascii").strip()
        if self.within:
            docker("exec", self.within, "sh", "-c", f"kill -{int(number)} {pid}")
        else:
            os.kill(int(pid), number)

    def programs(self) -> list[str]:
        """The programs that run there and are none of ours; of this machine, the containers that see `base`."""
        if not self.within:
            listed = docker("ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Mounts}}").splitlines()
            return [line for line in listed if str(self.base) in line]
        _, *listed = docker("top", self.within, "-eo", "pid,args").splitlines()
        return [line for line in listed if not line.endswith(" ".join(_KEEPER))]

    def commands(self) -> list[str]:
        """The command lines of what runs in the build."""
        names = [self.within] if self.within else [line.split()[0] for line in self.programs()]
        return [line for name in names for line in docker("top", name, "-eo", "pid,args").splitlines()[1:]]

    def traces(self) -> str:
        """The temporary files and the mounts that are there."""
        look = ("sh", "-c", _LOOK)
        if self.within:
            return docker("exec", self.within, *look)
        return "\n".join(line for line in Path("/proc/self/mounts").read_text().splitlines() if str(self.base) in line)

    def ends(self, is_so: Callable[[], bool], seconds: float = 30) -> float:
        """Return how many seconds it took until IS_SO; fails after SECONDS."""
        started = time.monotonic()
        while not is_so():
            assert time.monotonic() - started < seconds, self.programs()
            time.sleep(0.1)
        return time.monotonic() - started


def docker(*arguments: str) -> str:
    done = subprocess.run(("docker", *arguments), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def opened(runner: str, base: Path, *options: str, variables: Mapping[str, str] | None = None) -> Iterator[Place]:
    """Open a place for RUNNER: `container` here, the others in a container of the toolkit's image with OPTIONS."""
    if shutil.which("docker") is None or subprocess.run(("docker", "info"), capture_output=True).returncode != 0:
        pytest.skip("no Docker engine answers")
    if runner == "container":
        yield Place(runner=runner, base=base, variables=variables or {})
        return
    security: Sequence[str] = ()
    if runner == "unprivileged":
        profile = base.parent / f"{base.name}.seccomp.json"
        profile.write_text(docker("run", "--rm", "--network=none", IMAGE, "seccomp"), encoding="utf-8")
        security = ("--security-opt", f"seccomp={profile}")
    entrypoint, *rest = _KEEPER
    started = docker(
        *("run", "--detach", "--rm", "--init", f"--volume={base}:{base}", *security, *options),
        *("--entrypoint", entrypoint, IMAGE, *rest),
    ).strip()
    try:
        yield Place(runner=runner, base=base, within=started, variables=variables or {})
    finally:
        docker("rm", "--force", started)


def with_an_output(base: Path) -> Path:
    """Make an output of an earlier build below BASE and return it."""
    output = base / "output"
    output.mkdir()
    (output / ".ci-toolkit").touch()
    (output / "image.tar").write_text("old", encoding="utf-8")
    return output


def is_whole(base: Path) -> bool:
    """Tell whether the output of `with_an_output` is as it was."""
    output = base / "output"
    return {path.name: path.read_text() for path in output.iterdir()} == {".ci-toolkit": "", "image.tar": "old"}
