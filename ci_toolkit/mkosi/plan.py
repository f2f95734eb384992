"""Decide, before anything is built, what the build is pinned to: its epoch, its seed, its package sources."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ci_toolkit.errors import BuildError, UsageError
from ci_toolkit.mkosi import build, command, complaint, config
from ci_toolkit.mkosi.command import Call
from ci_toolkit.mkosi.config import ImageConfig
from ci_toolkit.mkosi.source import Source
from ci_toolkit.process import MINIMAL, Command, Sandbox

# The programs whose versions decide the bits, and what asks each of them.
TOOLS: Final[Mapping[str, tuple[str, ...]]] = {
    "mkosi": ("mkosi", "--version"),
    "systemd-repart": ("systemd-repart", "--version"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What both builds of a verification share.

    `epoch` and `seed` are what mkosi is told on its command line, None where the definition sets its own; `used_epoch`
    is the one in force; `facts` are for the report, `notes` warnings that go with it.
    """

    config: ImageConfig
    epoch: int | None
    used_epoch: int | None
    seed: str | None
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def make(sandbox: Sandbox, call: Call, source: Source, now: float, minutes: float | None = None) -> Plan:
    """Ask mkosi what CALL would build and decide what it leaves open.

    NOW is the current time in seconds since the epoch; mkosi, which may run the definition's own scripts for it, gets
    MINUTES. Raises BuildError when it refuses the configuration or takes longer, and UsageError when the epoch lies in
    the future: times are only ever clamped down to it.
    """
    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(summary, sandbox, call, minutes) for _ in range(2)]
        versions = list(pool.map(lambda argv: _version(sandbox, argv), TOOLS.values()))
    first, second = (images.result()[-1] for images in asked)
    epoch = None if first.epoch is not None else source.epoch
    used_epoch = first.epoch if epoch is None else epoch
    if used_epoch is not None and used_epoch > now:
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {used_epoch}, which is in the future",
            hint="Times are only clamped down to it: choose one that has passed.",
        )
    seed = None if config.seed_is_set(first, second) else command.derive_seed(first, source.directory)
    facts = (
        *zip(TOOLS, versions, strict=True),
        ("SOURCE_DATE_EPOCH", f"{used_epoch} ({'mkosi.conf' if epoch is None else _origin(source)})"),
        ("seed", f"{seed or first.seed} ({'mkosi.conf' if seed is None else 'derived from the configuration'})"),
    )
    return Plan(config=first, epoch=epoch, used_epoch=used_epoch, seed=seed, facts=facts, notes=_notes(source, first))


def apply(plan: Plan, call: Call) -> Call:
    """Return CALL with what the plan decided."""
    return replace(call, epoch=plan.epoch, seed=plan.seed)


def summary(sandbox: Sandbox, call: Call, minutes: float | None) -> tuple[ImageConfig, ...]:
    """Return what mkosi says that CALL would build, the main image last. Raises BuildError as `make` does."""
    completed = sandbox.run(command.summary(call), timeout_seconds=None if minutes is None else minutes * 60)
    if minutes is not None and completed.late:
        raise BuildError(
            f"{build.still_running(minutes)}, reading the configuration",
            hint="Does mkosi.configure wait for something?",
        )
    if not completed.ok:
        said = completed.stderr.strip()
        found = complaint.find(said.splitlines())
        words = (found and found.sentence) or said or f"exit code {completed.exit_code}"
        raise BuildError(
            f"mkosi refuses the configuration: {words}", hint='Mend mkosi.conf, or the arguments that follow "--".'
        )
    images = config.parse_summary(completed.stdout)
    if not images:
        raise BuildError("mkosi names no image to build", hint="Is there a mkosi.conf in the directory?")
    return images


def _version(sandbox: Sandbox, argv: tuple[str, ...]) -> str:
    completed = sandbox.run(Command(argv=argv, environment=MINIMAL, directory=Path("/")))
    words = completed.stdout.split("\n", 1)[0].strip()
    return words if completed.ok and words else "not known"


def _origin(source: Source) -> str:
    return "fixed: the definition is not in git" if source.commit is None else f"commit {source.commit[:12]}"


def _notes(source: Source, image: ImageConfig) -> tuple[str, ...]:
    notes: list[str] = []
    if source.dirty:
        notes.append("The work tree differs from the commit: nobody else can build these bits.")
    if image.snapshot is None and image.mirror is None and image.distribution in ("arch", "debian", "fedora", "ubuntu"):
        notes.append("The packages are not pinned (Snapshot=): a later build gets newer ones and so other bits.")
    return tuple(notes)
