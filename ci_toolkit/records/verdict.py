"""What somebody says who has built an image again from its record: the same bits, or others, and why."""

import json
from dataclasses import asdict, dataclass
from typing import Final

from ci_toolkit.console import printable
from ci_toolkit.mkosi.build import Artefact
from ci_toolkit.records.node import Node, read
from ci_toolkit.records.record import Record

NAME: Final = "rebuild-verdict.json"
SCHEMA: Final = 1
LIMIT_BYTES: Final = 16 << 20
_OUTPUTS: Final = 250_000
_REASONS: Final = 1_000
_HINT: Final = "Give the rebuild-verdict.json that rebuild wrote, as it was written."


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A file of the image, with its SHA-256 as it was published and as it was rebuilt; None where there was none."""

    name: str
    published: str | None
    rebuilt: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Where it was rebuilt: the machine's architecture, the runner, the toolkit and the container image by digest."""

    machine: str
    runner: str
    toolkit: str
    container_image: str | None
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`record` is the SHA-256 of the record that was rebuilt; `because` what differs, `though` what made no difference.

    `vouched` tells who vouched for the record; `rebuilt_at` is in seconds since the epoch.
    """

    same: bool
    record: str
    vouched: str
    image: str
    repository: str | None
    commit: str | None
    outputs: tuple[Output, ...]
    because: tuple[str, ...]
    though: tuple[str, ...]
    platform: Platform
    rebuilt_at: int

    @property
    def sentence(self) -> str:
        """Return the verdict on one line."""
        # Of a container image, the index names all else.
        names = (self.image, f"{self.image}/index.json")
        main = next((one for one in self.outputs if one.name in names), self.outputs[0] if self.outputs else None)
        digest = main.rebuilt if main is not None and main.rebuilt is not None else "nothing"
        platform = f"{self.platform.machine}, {self.platform.runner}"
        where = f" at commit {self.commit}" if self.commit else ""
        if self.same:
            why = f": same, though {'; '.join(self.though)}" if self.though else ": same"
        else:
            why = f": different, because {'; '.join(self.because) or 'of what nobody knows'}"
        return printable(f"rebuilt {self.image} to {digest} on {platform}{where}{why}")


def outputs(published: tuple[Artefact, ...], rebuilt: tuple[Artefact, ...]) -> tuple[Output, ...]:
    """Return the files of both sides, in the order of the record."""
    ours, theirs = ({one.name: one.sha256 for one in side} for side in (rebuilt, published))
    names = dict.fromkeys((*theirs, *ours))
    return tuple(Output(name=name, published=theirs.get(name), rebuilt=ours.get(name)) for name in names)


def render(verdict: Verdict) -> str:
    """Return VERDICT as JSON, pure ASCII, as `verdict.schema.json` has it."""
    facts = asdict(verdict)
    same = facts.pop("same")
    document = {"schema": SCHEMA, "verdict": "same" if same else "different", "sentence": verdict.sentence, **facts}
    return json.dumps(document, indent=1) + "\n"


def parse(content: bytes) -> Verdict:
    """Return the verdict that CONTENT holds. Raises UnreadableError, with one line, for anything else."""
    node = read(content, "the verdict", SCHEMA, _HINT)
    word = node.member("verdict").text()
    if word not in ("same", "different"):
        node.member("verdict").refuse("same or different")
    found = Verdict(
        same=word == "same",
        record=node.member("record").sha256(),
        vouched=node.member("vouched").text(),
        image=node.member("image").path(),
        repository=node.member("repository").optional(Node.text),
        commit=node.member("commit").optional(Node.text),
        outputs=node.member("outputs").each(_output, _OUTPUTS),
        because=node.member("because").each(Node.text, _REASONS),
        though=node.member("though").each(Node.text, _REASONS),
        platform=_platform(node.member("platform")),
        rebuilt_at=node.member("rebuilt_at").integer(),
    )
    if found.same != (bool(found.outputs) and all(one.published == one.rebuilt for one in found.outputs)):
        node.member("verdict").refuse("what its digests say")
    return found


def _output(node: Node) -> Output:
    return Output(
        name=node.member("name").path(),
        published=node.member("published").optional(Node.sha256),
        rebuilt=node.member("rebuilt").optional(Node.sha256),
    )


def _platform(node: Node) -> Platform:
    return Platform(
        machine=node.member("machine").text(),
        runner=node.member("runner").text(),
        toolkit=node.member("toolkit").text(),
        container_image=node.member("container_image").optional(Node.text),
        place=node.member("place").text(),
    )


def same(record: Record, rebuilt: Record) -> bool:
    """Tell whether both have the same files with the same bytes."""
    return bool(record.outputs) and set(record.outputs) == set(rebuilt.outputs)
