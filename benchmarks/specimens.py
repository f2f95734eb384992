"""What is compared: real builds, and images of any size made of them or by mke2fs."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
OUTPUT: Final = ROOT / "output" / "bench"
# examples/leaky with the full kernel, its modules and a few programs, some 20 files of which differ; of larger images
# diffoscope wants more than 21 GB.
MORE: Final = ("--package=linux-image-amd64", "--package=python3", "--package=curl")
GIB: Final = 1 << 30


def real_pair() -> tuple[Path, Path]:
    """Return two real builds of a large image, made when they are not there."""
    pair = OUTPUT / "leaky.raw", OUTPUT / "second" / "leaky.raw"
    if not all(path.exists() for path in pair):
        verify = ("verify", "examples/leaky", "--output", str(OUTPUT), "--fail-on", "never", "--", *MORE)
        subprocess.run((sys.executable, "-m", "ci_toolkit", *verify), cwd=ROOT, check=True)
    return pair


def copy_of(image: Path) -> Path:
    """Return a file with the same bytes."""
    return _made(image.with_name("copy.raw"), lambda path: shutil.copyfile(image, path))


def bare(pair: tuple[Path, Path]) -> tuple[Path, Path]:
    """Return PAIR without the volume descriptors of ISO 9660 that systemd-repart writes for El Torito.

    diffoscope takes an image with them for a disc, and ends with a traceback of libarchive.
    """

    def make(image: Path) -> Callable[[Path], None]:
        def blank(path: Path) -> None:
            shutil.copyfile(image, path)
            with path.open("r+b") as file:
                file.seek(16 * 2048)
                file.write(bytes(4 * 2048))

        return blank

    first, second = (_made(OUTPUT / f"bare{number}.raw", make(image)) for number, image in enumerate(pair))
    return first, second


def trees(pair: tuple[Path, Path]) -> tuple[Path, Path]:
    """Return the root file systems of PAIR, extracted by debugfs."""
    first, second = (_made(OUTPUT / f"tree{number}", _extract(image)) for number, image in enumerate(pair))
    return first, second


def sparse(source: Path, size: int, name: str) -> tuple[Path, Path]:
    """Return two equal files of SIZE bytes that begin with 1 GiB of data taken from SOURCE; the rest is a hole."""

    def make(path: Path) -> None:
        with source.open("rb") as data, path.open("wb") as file:
            left = GIB
            while left:
                chunk = data.read(min(left, 1 << 20))
                if not chunk:
                    data.seek(0)
                    continue
                left -= len(chunk)
                file.write(chunk)
            file.truncate(size)

    first, second = (_made(OUTPUT / f"{name}{number}.raw", make) for number in range(2))
    return first, second


def crowded(files: int) -> tuple[Path, Path]:
    """Return two ext4 images with FILES files each, of which a hundredth differs, made by mke2fs."""

    def make(number: int) -> Callable[[Path], None]:
        def fill(path: Path) -> None:
            tree = OUTPUT / "crowd"
            shutil.rmtree(tree, ignore_errors=True)
            for index in range(files):
                place = tree / f"{index // 500}"
                place.mkdir(parents=True, exist_ok=True)
                changed = number if index % 100 == 0 else 0
                (place / f"{index}").write_text(f"file {index} {changed}\n" * 20)
            with path.open("wb") as file:
                file.truncate(files * 6144 + (64 << 20))
            mke2fs = ("mke2fs", "-q", "-F", "-t", "ext4", "-N", str(files + 2000), "-d", str(tree), str(path))
            subprocess.run(mke2fs, check=True)
            shutil.rmtree(tree)

        return fill

    first, second = (_made(OUTPUT / f"crowded-{files}-{number}.raw", make(number)) for number in range(2))
    return first, second


def _made(path: Path, make: Callable[[Path], object]) -> Path:
    """Make PATH whole, or reuse it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.unfinished")
        make(unfinished)
        unfinished.rename(path)
    return path


def _extract(image: Path) -> Callable[[Path], None]:
    def extract(tree: Path) -> None:
        table = subprocess.run(("sfdisk", "--json", image), capture_output=True, check=True, text=True).stdout
        start = json.loads(table)["partitiontable"]["partitions"][-1]["start"] * 512
        tree.mkdir(parents=True, exist_ok=True)
        # debugfs takes the offset of a file system in a disk after the name of the file.
        command = ("debugfs", "-R", f"rdump / {tree}", f"{image}?offset={start}")
        subprocess.run(command, capture_output=True, check=True)

    return extract
