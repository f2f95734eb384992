"""What `ci-toolkit doctor` found, as text for a terminal or a log, and as JSON."""

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.console import printable
from ci_toolkit.host.capabilities import Capabilities, Capability, Leak
from ci_toolkit.host.hardware import Hardware

SCHEMA: Final = 1

# Heading -> the capabilities below it, by name or by the prefix that ends in a colon; what is named nowhere comes last.
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "What a runner needs": (
        "user-namespace-full",
        "mount-in-namespace",
        "mkosi",
        "container-engine",
        "qemu",
        "kvm",
    ),
    "In the user namespace": (
        "user-namespace-single",
        "user-namespace-shifted",
        "owners",
        "workspace-owners",
        "mount-tmpfs",
        "mount-proc",
        "mount-devpts",
        "mount-overlay",
        "mount-api",
        "pivot-root",
        "host-name",
        "fresh-proc",
    ),
    "What holds a process back": ("seccomp", "apparmor", "user-namespace-sysctl"),
    "Where a build would write": ("workspace:",),
    "Tools": ("tool:",),
}

# What a build can do without: missing, it is worth a line, but no runner asks for it.
OPTIONAL: Final = ("kvm", "user-namespace-single", "user-namespace-shifted", "fresh-proc", "workspace:", "tool:")

ON_REQUEST: Final = "only when asked for (--runner {name}): owners in the image differ from other runners'"

PROVIDERS: Final = {
    Provider.GITHUB: "GitHub",
    Provider.GITLAB: "GitLab",
    Provider.FORGEJO: "Forgejo",
    Provider.GITEA: "Gitea",
    Provider.UNKNOWN: "a CI system that is not known here",
    Provider.LOCAL: "none, a machine of one's own",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Everything that the doctor found.

    `runners` has each runner's name with its obstacles, in the order in which they are tried; `chosen` is the first
    without any, None when there is none. `on_request` has those that are not tried unless they are asked for.
    """

    job: Job
    hardware: Hardware
    capabilities: Capabilities
    runners: tuple[tuple[str, tuple[str, ...]], ...]
    on_request: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def chosen(self) -> str | None:
        return next((name for name, obstacles in self.runners if not obstacles), None)


def to_json(diagnosis: Diagnosis) -> str:
    """Return DIAGNOSIS as JSON, as doctor.schema.json describes it; the CI's token is in no field of it."""
    job = diagnosis.job
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "ci": {
            "provider": job.provider,
            "repository": job.repository,
            "commit": job.commit,
            "change": job.change,
            "may_write": job.may_write,
            "may_not_write_because": job.may_not_write_because,
        },
        "machine": asdict(diagnosis.hardware),
        "runner": diagnosis.chosen,
        "runners": [
            {"name": name, "obstacles": list(obstacles), "auto": tried}
            for runners, tried in ((diagnosis.runners, True), (diagnosis.on_request, False))
            for name, obstacles in runners
        ],
        "leaks": [
            {
                "name": leak.name,
                "leaks": leak.leaks,
                "found": leak.found,
                "normal": leak.normal,
                "why": leak.why,
                "fix": leak.fix,
            }
            for leak in diagnosis.capabilities.leaks
        ],
        "capabilities": [
            {"name": one.name, "available": one.available, "found": one.reason, "why": one.why, "fix": one.fix}
            for one in diagnosis.capabilities.capabilities
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def to_text(diagnosis: Diagnosis, *, width: int, colour: bool, explain: bool = False) -> str:
    """Return DIAGNOSIS for a reader whose lines have WIDTH characters.

    What is missing is followed by why it matters and what mends it; with EXPLAIN, everything is.
    """
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        force_terminal=colour,
        no_color=not colour,
        color_system="standard" if colour else None,
        highlight=False,
        emoji=False,
        markup=False,
        legacy_windows=False,
    )
    console.print(_summary(diagnosis))
    console.print(_section("Runners"), _runners(diagnosis))
    console.print(_section("What leaks from this host, and what a build is given instead"))
    console.print(_table(row for leak in diagnosis.capabilities.leaks for row in _leak(leak, explain)))
    for heading, members in grouped(diagnosis.capabilities.capabilities):
        console.print(_section(heading))
        console.print(_table(row for one in members for row in _capability(one, explain)))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def grouped(capabilities: Iterable[Capability]) -> list[tuple[str, list[Capability]]]:
    """Return CAPABILITIES below the headings of GROUPS, each group in the order of its names."""
    left = list(capabilities)
    found = []
    for heading, wanted in GROUPS.items():
        members = [one for name in wanted for one in left if _matches(one.name, name)]
        left = [one for one in left if one not in members]
        if members:
            found.append((heading, members))
    return [*found, *([("Besides", left)] if left else [])]


def _matches(name: str, wanted: str) -> bool:
    return name.startswith(wanted) if wanted.endswith(":") else name == wanted


def _summary(diagnosis: Diagnosis) -> RenderableType:
    job = diagnosis.job
    where = [PROVIDERS[job.provider]]
    if job.repository is not None:
        where.append(f"repository {job.repository}")
    if job.change is not None:
        where.append(f"change {job.change}")
    if job.may_not_write_because is not None and job.provider is not Provider.LOCAL:
        where.append(f"may not comment: {job.may_not_write_because}")
    runner = Text(diagnosis.chosen or "none fits this machine", style="bold green" if diagnosis.chosen else "bold red")
    grid = Table.grid(padding=(0, 2))
    grid.add_row("CI", _plain(", ".join(where)))
    grid.add_row("Machine", _plain(_machine(diagnosis.hardware)))
    grid.add_row("Runner", runner)
    return grid


def _machine(found: Hardware) -> str:
    processors = f"{found.processors:.3g} × {found.model or found.architecture}"
    memory = f"{found.memory_bytes / 1e9:.1f} GB of memory, {found.free_memory_bytes / 1e9:.1f} free"
    kernel = f"{found.kernel} {found.architecture}" + (f", clock {found.clock}" if found.clock else "")
    return f"{processors}; {memory}; {kernel}"


def _runners(diagnosis: Diagnosis) -> RenderableType:
    rows: list[tuple[RenderableType, ...]] = []
    for name, obstacles in diagnosis.runners:
        state = "taken" if name == diagnosis.chosen else "would do as well"
        told = Group(*(_plain(text) for text in obstacles)) if obstacles else Text(state)
        rows.append((_mark(not obstacles), name, told))
    for name, obstacles in diagnosis.on_request:
        told = Group(*(_plain(text) for text in obstacles)) if obstacles else Text(ON_REQUEST.format(name=name))
        rows.append((_mark(False, "!"), name, told))
    return _table(rows)


def _leak(leak: Leak, explain: bool) -> Iterable[tuple[RenderableType, ...]]:
    found = _plain(leak.found)
    if leak.leaks:
        found = Text.assemble(found, Text(" → ", style="bold"), _plain(leak.normal))
    yield (_mark(not leak.leaks, "!"), leak.name, found)
    if leak.leaks or explain:
        yield ("", "", _advice(leak.why, leak.fix))


def _capability(one: Capability, explain: bool) -> Iterable[tuple[RenderableType, ...]]:
    mark = _mark(one.available, "!" if any(_matches(one.name, name) for name in OPTIONAL) else "✗")
    yield (mark, _plain(one.name.removeprefix("tool:").removeprefix("workspace:")), _plain(one.reason))
    if explain or not one.available:
        yield ("", "", _advice(one.why, one.fix))


def _advice(why: str, fix: str) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_row(Text("why", style="dim"), Text(printable(why), style="dim"))
    grid.add_row(Text("fix", style="cyan"), _plain(fix))
    return grid


def _section(heading: str) -> RenderableType:
    return Padding(Text(heading, style="bold underline"), (1, 0, 0, 0))


def _table(rows: Iterable[tuple[RenderableType, ...]]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=1)
    table.add_column(min_width=22)
    table.add_column(ratio=1)
    for row in rows:
        table.add_row(*row)
    return table


def _mark(good: bool, bad: str = "✗") -> Text:
    return Text("✓", style="green") if good else Text(bad, style="red" if bad == "✗" else "yellow")


def _plain(text: str) -> Text:
    """Foreign text: host names, paths and other programs' words obey no markup and hide nothing."""
    return Text(printable(text))
