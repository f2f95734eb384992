"""A runner whose mkosi writes what a test tells it to; no Docker engine, no namespace, no packages."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ci_toolkit.host.capabilities import Capabilities
from ci_toolkit.host.environment import Environment
from ci_toolkit.process import Command, Completed
from ci_toolkit.runners.runner import INSIDE, Request, ToolkitImage

SUMMARY = json.dumps({"Images": [{"Distribution": "custom", "Release": "1", "Format": "tar", "Output": "image"}]})


@dataclass(kw_only=True)
class FakePlace:
    """A place whose mkosi writes what `content` says for the surroundings that it is given."""

    scratch: Path
    content: Callable[[Environment], str | bytes]
    exit_code: int = 0
    words: str = "mkosi speaks\n"
    manifest: str = ""
    cannot_vary: Mapping[str, str] = field(default_factory=dict)
    description: str = "fake"
    emulated: bool = False
    notes: tuple[str, ...] = ()
    toolkit_image: ToolkitImage | None = None
    built: list[tuple[Environment, Command]] = field(default_factory=list)
    one_at_a_time: str | None = "a fake does one thing after the other"
    stopped: bool = False
    attached: list[Command] = field(default_factory=list)

    def stop(self) -> None:
        self.stopped = True

    def sandbox(self, environment: Environment) -> "FakeMkosi":
        return FakeMkosi(place=self, environment=environment)


@dataclass(kw_only=True)
class FakeMkosi:
    """Answers `mkosi summary` and `mkosi build`, and does what a build's sandbox would do with files."""

    place: FakePlace
    environment: Environment

    def outside(self, path: str | Path) -> Path:
        return self.place.scratch / Path(path).relative_to(INSIDE)

    def run(
        self,
        command: Command,
        *,
        on_line: Callable[[str], None] | None = None,
        timeout_seconds: float | None = None,
    ) -> Completed:
        exit_code, stdout = 0, ""
        match command.argv:
            case ("mkosi", *_, "summary"):
                stdout = SUMMARY
            case ("mkosi", *options, "build"):
                self.place.built.append((self.environment, command))
                exit_code = self.place.exit_code
                if on_line is not None:
                    for line in self.place.words.splitlines(keepends=True):
                        on_line(line)
                output = next(o.split("=")[1] for o in options if o.startswith("--output-directory="))
                found = self.place.content(self.environment)
                image = self.outside(output) / "image.txt"
                image.write_bytes(found.encode("utf-8") if isinstance(found, str) else found)
                if self.place.manifest:
                    image.with_name("image.manifest").write_text(self.place.manifest, encoding="utf-8")
            case ("rm", "-rf", *paths):
                for path in paths:
                    shutil.rmtree(self.outside(path), ignore_errors=True)
            case _:  # a version that is asked for the report
                stdout = "fake 1\n"
        return Completed(command=command, exit_code=exit_code, stdout=stdout, stderr="")

    def attach(self, command: Command) -> int:
        self.place.attached.append(command)
        return self.place.exit_code

    def copy_in(self, source: Path, target: Path) -> None:
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, self.outside(target))

    def copy_out(self, source: Path, target: Path) -> None:
        shutil.move(self.outside(source), target)

    def make(self, *directories: Path) -> None:
        for directory in directories:
            self.outside(directory).mkdir(parents=True, exist_ok=True)

    def share(self, source: Path, target: Path) -> None:
        if self.outside(source).is_dir():
            shutil.copytree(self.outside(source), self.outside(target), dirs_exist_ok=True)

    def own(self, *places: Path) -> None:
        """Everything is everybody's."""

    def give_back(self, place: Path) -> None:
        """Everything is everybody's."""


class FakeRunner:
    """Starts a FakePlace in the scratch directory that the site made."""

    NAME = "unprivileged"
    emulated = False

    def __init__(
        self,
        content: Callable[[Environment], str | bytes],
        exit_code: int = 0,
        words: str = "mkosi speaks\n",
        one_at_a_time: str | None = "a fake does one thing after the other",
        **cannot_vary: str,
    ) -> None:
        self.one_at_a_time = one_at_a_time
        self.content = content
        self.exit_code = exit_code
        self.words = words
        self.manifest = ""  # what is installed, as mkosi lists it; none where it is empty
        self.cannot_vary = cannot_vary
        self.place: FakePlace | None = None

    @contextmanager
    def start(self, request: Request) -> Iterator[FakePlace]:
        self.place = FakePlace(
            scratch=request.scratch,
            content=self.content,
            exit_code=self.exit_code,
            words=self.words,
            manifest=self.manifest,
            cannot_vary=self.cannot_vary,
            one_at_a_time=self.one_at_a_time,
            emulated=self.emulated,
        )
        yield self.place


def install(monkeypatch: pytest.MonkeyPatch, runner: FakeRunner) -> FakeRunner:
    """Let RUNNER be what is chosen, on a machine that nobody looks at."""
    nothing = Capabilities(capabilities=(), leaks=())
    monkeypatch.setattr("ci_toolkit.host.probe.probe", lambda **_: nothing)
    monkeypatch.setattr("ci_toolkit.runners.choose.choose", lambda *_: runner)
    return runner
