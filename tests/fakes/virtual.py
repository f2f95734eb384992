"""Virtual disks made by qemu-img, and what it says of them."""

import json
import random
from pathlib import Path
from typing import Any

from bench import run
from truths import sparse

MIB = 1 << 20


def raw(path: Path, *, seed: int = 1, size: int = 6 * MIB) -> Path:
    """A sparse disk in which random bytes, one that repeats itself and zeros are written here and there."""
    noise = random.Random(seed)
    pieces = [(place * 64 << 10, noise.randbytes(5000 + 7000 * place)) for place in (0, 3, 17, 18, 40)]
    return sparse(path, size, *pieces, (size - 1000, b"end" * 300), (70 << 14, b"text " * 30_000))


def converted(source: Path, target: Path, form: str, *options: str, compressed: bool = False) -> Path:
    joined = ("-o", ",".join(options)) if options else ()
    run("qemu-img", "convert", "-f", "raw", "-O", form, *(["-c"] if compressed else []), *joined, source, target)
    return target


def back(image: Path, form: str) -> bytes:
    """The raw disk that qemu-img takes out of IMAGE."""
    target = image.with_name(f"{image.name}.back")
    run("qemu-img", "convert", "-f", form, "-O", "raw", image, target)
    found = target.read_bytes()
    target.unlink()
    return found


def differing(one: bytes, other: bytes) -> list[int]:
    """The places at which two images of one size differ."""
    assert len(one) == len(other)
    step = 4096
    return [
        place
        for start in range(0, len(one), step)
        if one[start : start + step] != other[start : start + step]
        for place in range(start, min(start + step, len(one)))
        if one[place] != other[place]
    ]


def told(image: Path, form: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("qemu-img", "info", "-f", form, "--output=json", image))
    return found


def mapped(image: Path, form: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("qemu-img", "map", "-f", form, "--output=json", image))
    return found
