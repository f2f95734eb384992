"""Measure `ci-toolkit` against `cmp`, `diff`, diffoscope and plain mkosi: medians of whole processes."""

import argparse
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks import building, specimens
from benchmarks.measure import Run, Task, in_turn, on_cpu, ratio, row

RUNS: Final = 5
DIFFOSCOPE: Final = ("diffoscope", "--no-progress", "--text", "/dev/null")
# What may be left of a small machine's memory when diffoscope has taken the rest.
DIFFOSCOPE_BYTES: Final = 21 * specimens.GIB


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all by default")
    given = parser.parse_args()
    unknown = set(given.cases) - set(CASES)
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    for name in given.cases or CASES:
        print(f"\n{name}", flush=True)
        CASES[name]()
    return 0


def ours(a: Path, b: Path, name: str = "ci-toolkit compare") -> Task:
    return Task(name=name, argv=(sys.executable, "-m", "ci_toolkit", "compare", str(a), str(b)))


def start_up() -> None:
    """How long nothing takes."""
    helping = Task(name="ci-toolkit --help", argv=(sys.executable, "-m", "ci_toolkit", "--help"))
    small = specimens.ROOT / "Makefile", specimens.ROOT / "CHANGELOG.md"
    show(helping, ours(*small, name="compare of two small files"))
    print("  wanted: 0.2 s and 0.4 s")


def identical() -> None:
    """Equal images cost one reading of each."""
    image = specimens.real_pair()[0]
    copy = specimens.copy_of(image)
    on_cpu(image), on_cpu(copy)
    mine, theirs = show(ours(image, copy), Task(name="cmp", argv=("cmp", str(image), str(copy))))
    print(ratio("ratio", mine, theirs, "at most 1.5, plus start-up"))


def holes() -> None:
    """A sparse file costs its data, not its size."""
    image = specimens.real_pair()[0]
    small, large = (
        specimens.sparse(image, specimens.GIB, "dense"),
        specimens.sparse(image, 40 * specimens.GIB, "sparse"),
    )
    for path in small:
        on_cpu(path)
    one, forty = show(ours(*small, name="1 GiB of data in 1 GiB"), ours(*large, name="1 GiB of data in 40 GiB"))
    print(ratio("ratio", forty, one, "at most 2"))


def builds() -> None:
    """Two real builds with some 20 differing files."""
    pair = specimens.real_pair()
    for image in pair:
        on_cpu(image)
    (mine,) = show(ours(*pair))
    print("  wanted: 5 s and 150 MB")
    against_diffoscope(mine, specimens.bare(pair), limit_seconds=900, wanted="at most 1/200")


def directories() -> None:
    """The same two file systems as directories."""
    pair = specimens.trees(specimens.real_pair())
    for tree in pair:
        on_cpu(tree)
    diff = Task(name="diff -rq", argv=("diff", "-rq", "--no-dereference", *map(str, pair)))
    mine, theirs = show(ours(*pair), diff)
    print(ratio("ratio to diff", mine, theirs, "at most 3"))
    against_diffoscope(mine, pair, limit_seconds=900, wanted="at most 1/20")


def many_files() -> None:
    """Time grows with the number of files, not faster."""
    counts = (25_000, 50_000, 100_000)
    tasks = [ours(*specimens.crowded(count), name=f"{count:,} files") for count in counts]
    few, _, many = show(*tasks)
    print(ratio("100,000 to 25,000", many, few, "at most 4"))


def verification() -> None:
    """Two builds at once cost little more than one."""
    verified, built = building.verification()
    print(
        row(Task(name="ci-toolkit verify", argv=()), verified),
        row(Task(name="ci-toolkit build", argv=()), built),
        sep="\n",
    )
    print(ratio("ratio", verified, built, "at most 1.4"))


def share() -> None:
    """The toolkit adds little to what mkosi takes by itself."""
    ours_, theirs = building.share()
    print(row(Task(name="ci-toolkit build", argv=()), ours_), row(Task(name="mkosi build", argv=()), theirs), sep="\n")
    print(ratio("ratio", ours_, theirs, "at most 1.03"))


CASES: Final[dict[str, Callable[[], None]]] = {
    "start-up": start_up,
    "identical": identical,
    "holes": holes,
    "builds": builds,
    "directories": directories,
    "many-files": many_files,
    "verify": verification,
    "share": share,
}


def show(*tasks: Task) -> list[list[Run]]:
    """Measure TASKS in turn and print a line for each."""
    found = in_turn(tasks, runs=RUNS)
    for task, runs in zip(tasks, found, strict=True):
        print(row(task, runs), flush=True)
    return found


def against_diffoscope(mine: Sequence[Run], pair: tuple[Path, Path], *, limit_seconds: float, wanted: str) -> None:
    """Run diffoscope once, which takes minutes; a run that was cut short makes the ratio a lower bound."""
    if shutil.which("diffoscope") is None:
        print("  diffoscope is not installed (apt-get install diffoscope-minimal): not measured")
        return
    task = Task(
        name="diffoscope",
        argv=(*DIFFOSCOPE, *map(str, pair)),
        limit_seconds=limit_seconds,
        limit_bytes=DIFFOSCOPE_BYTES,
    )
    ((theirs,),) = in_turn((task,), runs=1)
    print(row(task, [theirs]), ratio("ratio to diffoscope", mine, [theirs] * len(mine), wanted), sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
