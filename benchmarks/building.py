"""What building costs: the toolkit beside plain mkosi, a verification beside one build.

python -m benchmarks.building CHECKOUT      inside the toolkit's container: plain mkosi, the seconds on stdout
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.measure import Run, Task, in_turn
from benchmarks.specimens import OUTPUT, ROOT
from ci_toolkit import process
from ci_toolkit.host.environment import NORMAL
from ci_toolkit.mkosi import command, config, machine
from ci_toolkit.process import Command, Completed
from ci_toolkit.runners.container import LOCAL_IMAGE, PYTHON

EXAMPLE: Final = "examples/debian"
RUNS: Final = 3
_SECONDS: Final = 1800.0


def verification() -> tuple[list[Run], list[Run]]:
    """Return the runs of a verification and of one build of EXAMPLE, both with all packages fetched."""
    output = OUTPUT / "built"
    one, two = (
        Task(
            name=f"ci-toolkit {verb}",
            argv=(sys.executable, "-m", "ci_toolkit", verb, EXAMPLE, "--output", str(output)),
            limit_seconds=_SECONDS,
        )
        for verb in ("verify", "build")
    )
    verified, built = in_turn((one, two), runs=RUNS)
    return verified, built


def share() -> tuple[list[Run], list[Run]]:
    """Return the runs of `ci-toolkit build` and of plain mkosi, each timed in the same kind of container."""
    profile = OUTPUT / "seccomp.json"
    packages = OUTPUT / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    docker = ("docker", "run", "--rm")
    profile.write_bytes(subprocess.run((*docker, LOCAL_IMAGE, "seccomp"), check=True, capture_output=True).stdout)
    mounted = (f"--volume={ROOT}:/checkout:ro", f"--volume={packages}:/packages", "--env=PYTHONPATH=/checkout")
    inside = (LOCAL_IMAGE, "-m", "benchmarks.building")
    ours = (*docker, *mounted, f"--security-opt=seccomp={profile}", f"--entrypoint={PYTHON}", *inside, "toolkit")
    root = ("--cap-add=SYS_ADMIN", "--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined")
    theirs = (*docker, *mounted, *root, f"--hostname={NORMAL.hostname}", f"--entrypoint={PYTHON}", *inside, "mkosi")
    kept: tuple[list[Run], list[Run]] = ([], [])
    for number in range(RUNS + 1):
        for argv, runs in zip((ours, theirs), kept, strict=True):
            done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            if number:
                runs.append(Run(seconds=float(done.stdout.split()[-1]), peak_bytes=0, exit_code=0))
    return kept


class _Here:
    """Runs commands as they are; the rest of a sandbox is not needed here."""

    def run(self, asked: Command) -> Completed:
        return process.run(asked)


def main(who: str) -> int:
    """Inside the container: build EXAMPLE from a copy, by WHO (toolkit, mkosi), and write the seconds it took."""
    source = Path(tempfile.mkdtemp())
    definition = source / "definition"
    shutil.copytree(Path("/checkout") / EXAMPLE, definition)
    packages = Path("/packages") / "packages"
    if who == "toolkit":
        argv: tuple[str, ...] = (
            *(sys.executable, "-m", "ci_toolkit", "build", str(definition)),
            *("--output", str(source / "output"), "--cache", "/packages"),
        )
    else:
        argv = _plain(definition, source, packages)
    started = time.monotonic()
    done = subprocess.run(argv, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seconds = time.monotonic() - started
    if done.returncode != 0:
        sys.stderr.write(done.stdout)
    else:
        sys.stdout.write(f"{seconds}\n")
    return done.returncode


def _plain(definition: Path, source: Path, packages: Path) -> tuple[str, ...]:
    """Return mkosi's call as its manual has it, with the machine's own mirror."""
    summary = subprocess.run(
        ("mkosi", "--json", "--directory", definition, "summary"), check=True, capture_output=True, text=True
    )
    image = config.parse_summary(summary.stdout)[-1]
    tree = source / "machine"
    suites = machine.sandbox_tree(_Here(), image, definition, tree)  # type: ignore[arg-type] # it only runs commands
    seed = command.derive_seed(image, Path())
    return (
        *("mkosi", f"--directory={definition}", f"--output-directory={source}", f"--seed={seed}", "--force"),
        *(f"--package-cache-directory={packages}", f"--workspace-directory={source}"),
        *((f"--sandbox-tree={tree}",) if suites else ()),
        *("--source-date-epoch=315619200", "build"),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
