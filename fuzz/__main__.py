"""Damage small real images at random and compare them; whatever ends in another way than it may is kept."""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from ci_toolkit.images.data import OpenFile, whole
from ci_toolkit.images.entry import Container
from ci_toolkit.images.limits import Budget, Limits
from ci_toolkit.images.read import FORMATS, identify
from fuzz import trial, worker
from fuzz.corpus import SEEDS, Seed
from fuzz.image import Image
from fuzz.makers import MissingError, run
from fuzz.mutate import Victim, damage, name_places

OUTPUT: Final = Path(__file__).resolve().parent.parent / "output" / "fuzz"
_KEPT_MAX: Final = 40
_STRUCTURE_MAX: Final = 4000
_DEPTH: Final = 2


@dataclass(slots=True, kw_only=True)
class Line:
    """An image to begin with, those that were damaged in a new way, and the tally."""

    seed: Seed
    path: Path
    victims: list[tuple[Path, Victim]]
    ways: set[str] = field(default_factory=set)
    cases: int = 0
    refused: int = 0
    cpu_seconds: float = 0.0
    slowest: float = 0.0
    peak_bytes: int = 0
    faults: dict[str, int] = field(default_factory=dict)


def main() -> int:
    names = sorted({seed.format for seed in SEEDS})
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long, over all formats (default: 10)")
    parser.add_argument("--format", action="append", choices=names, metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--seed", type=int, default=1, help="what the damage comes from (default: 1)")
    parser.add_argument("--replay", nargs=2, type=Path, metavar=("A", "B"), help="compare two files that were kept")
    given = parser.parse_args()
    # Each case is a fork of this process, and would have to load them.
    for known in FORMATS:
        known.load()
    if given.replay:
        return _replayed(*given.replay)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        lines = list(_lines([seed for seed in SEEDS if not given.format or seed.format in given.format], Path(place)))
        end = time.monotonic() + given.minutes * 60
        try:
            _run(lines, Path(place), end, given.seed)
        except KeyboardInterrupt:
            print("interrupted")
        _tally(lines)
    return 1 if any(line.faults for line in lines) else 0


def _lines(seeds: Sequence[Seed], place: Path) -> Iterable[Line]:
    made: list[tuple[Seed, Path]] = []
    for number, seed in enumerate(seeds):
        here = place / f"{number}-{seed.format}"
        here.mkdir()
        try:
            made.append((seed, seed.make(here)))
        except MissingError as error:
            print(f"  {seed.format:<10} left out: {error}", flush=True)
    others = tuple(str(path) for _, path in made)
    for seed, path in made:
        yield Line(seed=seed, path=path, victims=[(path, _victim(path, others))])


def _run(lines: Sequence[Line], place: Path, end: float, seed: int) -> None:
    """Take each image in turn, a few cases at a time, until END."""
    number = 0
    while lines and time.monotonic() < end:
        for line in lines:
            for _ in range(5):
                if time.monotonic() >= end:
                    return
                _case(line, place, random.Random(f"{seed} {line.path.parent.name} {number}"), f"{seed}-{number}")
                number += 1


def _case(line: Line, place: Path, chance: random.Random, name: str) -> None:
    source, victim = chance.choice(line.victims)
    a, b = place / "a", place / "b"
    _copied(line.path if chance.random() < 0.7 else source, a)
    _copied(source, b)
    before = not line.seed.pack or chance.random() < 0.7
    for path in ((b, a) if chance.random() < 0.1 else (b,)) if before else ():
        _damaged(path, line.seed, victim, chance)
    if line.seed.pack:
        _copied(b, b.with_name("whole"))
        for path in (a, b):
            path.write_bytes(run(*line.seed.pack, stdin=path.read_bytes()))
    if not before:
        _damaged(b, line.seed, replace(victim, structure=((0, 200),), names=()), chance)
    result = worker.run(trial.run, a, b)
    line.cases += 1
    line.cpu_seconds += result.cpu_seconds
    line.slowest = max(line.slowest, result.cpu_seconds)
    line.peak_bytes = max(line.peak_bytes, result.peak_bytes)
    if result.fault:
        _record(line, result, a, b, name)
    elif result.outcome is not None:
        line.refused += result.outcome.refused
        if result.outcome.ways - line.ways and len(line.victims) < _KEPT_MAX:
            kept = line.path.with_name(f"kept-{len(line.victims)}")
            _copied(b.with_name("whole") if line.seed.pack else b, kept)
            line.victims.append((kept, _victim(kept, victim.others)))
        line.ways |= result.outcome.ways


def _damaged(path: Path, seed: Seed, victim: Victim, chance: random.Random) -> None:
    with Image(str(path)) as image:
        damage(image, victim, chance)
        if seed.seal is not None and chance.random() < 0.8:
            seed.seal(image)


def _record(line: Line, result: worker.Result, a: Path, b: Path, name: str) -> None:
    """Keep the files of a fault, the first three times."""
    fault = result.fault
    line.faults[fault] = line.faults.get(fault, 0) + 1
    if line.faults[fault] > 3:
        return
    OUTPUT.mkdir(parents=True, exist_ok=True)
    kept = OUTPUT / f"{line.seed.format}-{name}"
    _copied(a, kept.with_suffix(".a"))
    _copied(b, kept.with_suffix(".b"))
    spent = f"{result.cpu_seconds:.1f} s of CPU, {result.peak_bytes >> 20} MiB"
    kept.with_suffix(".txt").write_text(f"{fault}\n{spent}\n\n{result.detail}")
    print(f"  {line.seed.format:<10} {fault}: {kept}.{{a,b}}  ({spent})", flush=True)


def _victim(path: Path, others: tuple[str, ...]) -> Victim:
    """Ask the readers where the structure of an image is."""
    with Image(str(path), writable=False) as image:
        names = name_places(image)
        spans: list[tuple[int, int]] = []
        root = OpenFile(image.fd, image.size, str(path))
        try:
            data = whole(root)
            known = identify(data)
            if known is not None:
                _gather(known.read(data, Budget(Limits())), root, 0, spans, data.size)
        except Exception:
            pass  # whatever is wrong with it shows when it is compared
        spans.append((0, min(image.size, 4096)))
    chance = random.Random(len(spans))
    chosen = spans if len(spans) <= _STRUCTURE_MAX else chance.sample(spans, _STRUCTURE_MAX)
    return Victim(structure=tuple(chosen), names=names, others=others)


def _gather(container: Container, root: OpenFile, start: int, spans: list[tuple[int, int]], size: int) -> None:
    """Add where facts, records and regions of a container lie, and of what lies uncompressed in it."""
    facts = [*container.facts, *(fact for entry in container.entries for fact in entry.facts)]
    spans += [(start + offset, length) for fact in facts for offset, length in fact.places if length]
    spans += [(start + entry.record[0], entry.record[1]) for entry in container.entries if entry.record]
    for region in container.regions:
        if region.data.root is root and region.data.size < size // 2:
            spans += [(run.offset, run.length) for run in region.data.runs if run.offset is not None]
    for entry in container.entries:
        data = entry.data
        if data is None or data.root is not root or len(data.runs) != 1 or data.runs[0].offset is None:
            continue
        known = identify(data)
        if known is not None and spans and len(spans) < _STRUCTURE_MAX:
            _gather(known.read(data, Budget(Limits())), root, data.runs[0].offset, spans, data.size)


def _copied(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    if source.stat().st_size < 1 << 20:
        shutil.copyfile(source, target)
    else:
        subprocess.run(("cp", "--sparse=always", source, target), check=True)


def _replayed(a: Path, b: Path) -> int:
    result = worker.run(trial.run, a, b)
    print(f"{result.fault or result.outcome}\n{result.cpu_seconds:.1f} s of CPU, {result.peak_bytes >> 20} MiB")
    print(result.detail)
    return 1 if result.fault else 0


def _tally(lines: Sequence[Line]) -> None:
    print(f"  {'format':<10} {'cases':>7} {'refused':>8} {'CPU s':>8} {'slowest':>8} {'MiB':>5} {'ways':>5}  faults")
    for line in lines:
        faults = ", ".join(f"{fault} ({count})" for fault, count in sorted(line.faults.items()))
        print(
            f"  {line.seed.format:<10} {line.cases:>7} {line.refused:>8} {line.cpu_seconds:>8.1f} {line.slowest:>8.2f}"
            f" {line.peak_bytes >> 20:>5} {len(line.ways):>5}  {faults or '-'}"
        )
    total = sum(line.cases for line in lines)
    print(f"  {total} cases, {sum(line.cpu_seconds for line in lines):.0f} s of CPU")


if __name__ == "__main__":
    sys.exit(main())
