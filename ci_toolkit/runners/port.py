"""What a virtual machine and its host say to each other through a virtio-serial port: lines of JSON."""

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

# The port's name; the guest finds it by that.
NAME: Final = "org.archlinux.ci-toolkit"
# What is shared with the guest, by the tags of its virtiofs devices.
ROOT: Final = "root"
SHARE: Final = "share"
# The serial number of the scratch disk.
DISK: Final = "scratch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """What the guest is told on its kernel's command line.

    `modules` are files to load, in order; `inside` is where the scratch disk is mounted, `share` the directory of the
    host that the guest may write to, at the same path.
    """

    modules: tuple[str, ...]
    inside: str
    share: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A program that the guest is to run, from `directory`, with `environment` and nothing else."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: str = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A `line` that a program wrote, as it comes; at its end how it ended and all that it wrote.

    The guest's first one says nothing but that it is there.
    """

    line: str = ""
    exit_code: int | None = None
    stdout: str = ""
    stderr: str = ""


def encode(said: Boot | Job | Answer) -> str:
    """Return SAID as one line, without its end."""
    return json.dumps(asdict(said), separators=(",", ":"))


def word(told: Boot) -> str:
    """Return TOLD as one word of a kernel's command line, which knows no way to escape a quotation mark."""
    return base64.urlsafe_b64encode(encode(told).encode()).decode().rstrip("=")


def boot(word: str) -> Boot:
    """Read a Boot from such a word."""
    found = json.loads(base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)))
    return Boot(modules=tuple(found["modules"]), inside=found["inside"], share=found["share"])


def job(line: bytes) -> Job:
    """Read a Job."""
    found = json.loads(line)
    return Job(argv=tuple(found["argv"]), environment=found["environment"], directory=found["directory"])


def answer(line: bytes) -> Answer:
    """Read an Answer. Raises ValueError, TypeError or KeyError for what no guest of ours says."""
    found = json.loads(line)
    code = found["exit_code"]
    return Answer(
        line=str(found["line"]),
        exit_code=None if code is None else int(code),
        stdout=str(found["stdout"]),
        stderr=str(found["stderr"]),
    )
