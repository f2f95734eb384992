"""A sandbox that records the commands it is given and plays what they shall answer."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ci_toolkit.process import Command, Completed


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command shall leave; `lines` are handed on one by one as they are."""

    exit_code: int = 0
    stdout: str = ""
    stderr: str = ""
    lines: tuple[str, ...] = ()
    late: bool = False


def fine(_: Command) -> Answer:
    return Answer()


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeSandbox:
    """Asks `answer` for each command: a sandbox that can be told to do anything and does nothing."""

    answer: Callable[[Command], Answer] = fine
    commands: list[Command] = field(default_factory=list)
    limits: list[float] = field(default_factory=list)
    copied: list[tuple[Path, Path]] = field(default_factory=list)

    @property
    def calls(self) -> list[tuple[str, ...]]:
        return [command.argv for command in self.commands]

    def attach(self, command: Command) -> int:
        self.commands.append(command)
        return 0

    def run(
        self,
        command: Command,
        *,
        on_line: Callable[[str], None] | None = None,
        timeout_seconds: float | None = None,
    ) -> Completed:
        self.commands.append(command)
        if timeout_seconds is not None:
            self.limits.append(timeout_seconds)
        answer = self.answer(command)
        if on_line is not None:
            for line in answer.lines:
                on_line(line)
        return Completed(
            command=command,
            exit_code=answer.exit_code,
            stdout=answer.stdout,
            stderr=answer.stderr,
            late=answer.late,
        )

    def copy_in(self, source: Path, target: Path) -> None:
        self.copied.append((source, target))

    def copy_out(self, source: Path, target: Path) -> None:
        self.copied.append((source, target))

    def make(self, *directories: Path) -> None:
        self.copied.extend((directory, directory) for directory in directories)

    def share(self, source: Path, target: Path) -> None:
        self.copied.append((source, target))

    def own(self, *places: Path) -> None:
        """Nobody else is there."""

    def give_back(self, place: Path) -> None:
        """Nobody else is there."""


def in_turn(answers: Iterable[Answer]) -> Callable[[Command], Answer]:
    """Return an `answer` that plays ANSWERS one after the other, whatever is asked."""
    left = iter(answers)
    return lambda _: next(left)
