import io
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_runner
import pytest
import served
from fake_runner import FakePlace, FakeRunner

from ci_toolkit import pipeline, rebuilding
from ci_toolkit.console import Console
from ci_toolkit.errors import UnreadableError
from ci_toolkit.rebuilding import Asked, Rebuilt
from ci_toolkit.records.record import NAME
from ci_toolkit.runners.runner import ToolkitImage
from ci_toolkit.site import Wishes

Use = Callable[[FakeRunner], FakeRunner]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    return lambda runner: fake_runner.install(monkeypatch, runner)


def git(repository: Path, *arguments: str) -> None:
    argv = ("git", "-C", str(repository), "-c", "user.name=T", "-c", "user.email=t@example.org", *arguments)
    subprocess.run(argv, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    place = tmp_path / "repository"
    (place / "images").mkdir(parents=True)
    (place / "images/mkosi.conf").write_text("# one\n")
    for words in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "--message=one")):
        git(place, *words)
    return place


def built(repository: Path, use: Use, *arguments: str, content: str = "an image\n") -> Path:
    """Build the image in REPOSITORY, and return the directory that it is published in."""
    use(FakeRunner(lambda _: content))
    output = repository.parent / "published"
    wishes = Wishes(
        directory=repository / "images", output=output, cache=repository.parent / "cache", mkosi_arguments=arguments,
        profiles=("server",),
    )  # fmt: skip
    pipeline.build(wishes, {"HOME": "/nonexistent"}, Console(narration=io.StringIO()))
    return output


def asked(repository: Path, where: str, **changes: Any) -> Asked:
    base = repository.parent
    wishes = Wishes(directory=Path(), output=base / "rebuild", cache=base / "cache")
    return replace(Asked(where=where, wishes=wishes, source=str(repository)), **changes)


def rebuilt(wanted: Asked) -> Rebuilt:
    return rebuilding.rebuild(wanted, {"HOME": "/nonexistent"}, Console(narration=io.StringIO()))


def altered(published: Path, *path: str, value: object) -> None:
    """Let the record in PUBLISHED have VALUE at PATH."""
    document = json.loads((published / NAME).read_text())
    at = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    (published / NAME).write_text(json.dumps(document))


def test_the_same_bits_are_the_same(repository: Path, use: Use) -> None:
    published = built(repository, use, "--hostname=x")
    git(repository, "commit", "--quiet", "--allow-empty", "--message=later")
    runner = use(FakeRunner(lambda _: "an image\n"))
    verdict = rebuilt(asked(repository, str(published))).verdict
    assert verdict.same
    assert verdict.sentence.endswith(": same")
    assert runner.place is not None
    ((_, command),) = runner.place.built
    assert {"--hostname=x", "--profile=server"} <= set(command.argv)


def test_what_came_out_otherwise_is_compared_with_what_was_published(repository: Path, use: Use) -> None:
    published = built(repository, use)
    altered(published, "toolkit", value="0.0.1")
    use(FakeRunner(lambda _: "another\n"))
    found = rebuilt(asked(repository, str(published)))
    assert not found.verdict.same
    assert "ci-toolkit was 0.0.1" in found.verdict.sentence
    assert found.report is not None
    assert found.report.comparison is not None
    assert found.report.findings
    assert not [path for path in repository.parent.iterdir() if path.name.startswith(".published")]


def test_and_over_a_server_where_it_may_be_gone_or_be_another_one(repository: Path, use: Use) -> None:
    published = built(repository, use)
    use(FakeRunner(lambda _: "another\n"))
    with served.directory(published) as address:
        assert rebuilt(asked(repository, address)).report is not None
        (published / "image.txt").write_text("evil!!!!\n")
        found = rebuilt(asked(repository, address))
        assert found.report is None
        assert found.verdict.because[0] == "the published image.txt is not what the record says"
        (published / "image.txt").unlink()
        found = rebuilt(asked(repository, address))
        assert (found.report, found.verdict.same) == (None, False)


def test_of_several_images_in_one_place_each_files_name_has_the_images(repository: Path, use: Use) -> None:
    published = built(repository, use)
    for name in (NAME, "image.txt"):
        (published / name).rename(published / f"cloud.{name}")
    (published / "image.txt").write_text("another image's\n")
    use(FakeRunner(lambda _: "another\n"))
    found = rebuilt(asked(repository, str(published / f"cloud.{NAME}")))
    assert found.report is not None


def test_the_only_record_of_a_release_is_found_and_of_several_one_has_to_be_named(repository: Path, use: Use) -> None:
    published = built(repository, use)
    (published / NAME).rename(published / f"cloud.{NAME}")
    listed = subprocess.run(("sha256sum", f"cloud.{NAME}"), cwd=published, check=True, capture_output=True).stdout
    (published / "SHA256SUMS").write_bytes(listed)
    use(FakeRunner(lambda _: "an image\n"))
    assert rebuilt(asked(repository, str(published))).verdict.same
    (published / "SHA256SUMS").write_bytes(listed + b"0" * 64 + f"  server.{NAME}\n".encode())
    with pytest.raises(UnreadableError, match="2 records") as refused:
        rebuilt(asked(repository, str(published)))
    assert f"cloud.{NAME}" in (refused.value.hint or "")


def test_other_files_of_the_same_commit_are_no_rebuild(repository: Path, use: Use) -> None:
    published = built(repository, use)
    altered(published, "source", "digest", value="0" * 64)
    runner = use(FakeRunner(lambda _: "an image\n"))
    with pytest.raises(UnreadableError, match="submodules"):
        rebuilt(asked(repository, str(published)))
    altered(published, "source", "dirty", value=True)
    with pytest.raises(UnreadableError, match="work tree with changes"):
        rebuilt(asked(repository, str(published)))
    assert runner.place is None


@pytest.mark.slow
@pytest.mark.parametrize("there", [True, False])
def test_submodules_are_fetched_where_they_were_built(tmp_path: Path, repository: Path, use: Use, there: bool) -> None:
    """Of a checkout that had none of them, the definition is without."""
    library = tmp_path / "library"
    library.mkdir()
    git(library, "init", "--quiet")
    (library / "script").write_text("#!/bin/sh\n")
    with served.directory(tmp_path) as address:
        git(repository, "remote", "add", "origin", f"{address}repository/.git")
        for place in (library, repository):
            if place == repository:
                git(repository, "submodule", "--quiet", "add", f"{address}library/.git", "images/lib")
            git(place, "add", ".")
            git(place, "commit", "--quiet", "--message=two")
            git(place, "update-server-info")
        if not there:
            git(repository, "submodule", "--quiet", "deinit", "--force", "--all")
        published = built(repository, use)
        runner = use(FakeRunner(lambda _: "an image\n"))
        base = f"{address}{published.relative_to(tmp_path)}/"
        found = rebuilt(replace(asked(repository, base), source=None))
        assert found.verdict.same
    assert runner.place is not None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("image", "arguments"), ["--extra-tree=/etc"]),
        (("image", "arguments"), ["--debug-shell"]),
        (("image", "snapshot"), "../x"),
        (("source", "commit"), "f" * 40),
        (("source", "directory"), "link"),
    ],
)
def test_what_a_record_may_not_ask_for_is_refused_before_anything_is_built(
    repository: Path, use: Use, path: tuple[str, ...], value: object
) -> None:
    (repository / "link").symlink_to("/etc")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=two")
    published = built(repository, use)
    altered(published, *path, value=value)
    runner = use(FakeRunner(lambda _: "an image\n"))
    with pytest.raises(UnreadableError) as refused:
        rebuilt(asked(repository, str(published)))
    assert "\n" not in refused.value.message
    assert runner.place is None


def test_a_digest_that_is_given_has_to_be_the_records(repository: Path, use: Use) -> None:
    published = built(repository, use)
    with pytest.raises(UnreadableError, match="SHA-256"):
        rebuilt(asked(repository, str(published), sha256="0" * 64))


def test_arguments_of_the_callers_take_the_place_of_the_records(repository: Path, use: Use) -> None:
    published = built(repository, use, "--debug-shell")
    runner = use(FakeRunner(lambda _: "an image\n"))
    rebuilt(asked(repository, str(published), arguments=("--hostname=mine",)))
    assert runner.place is not None
    ((_, command),) = runner.place.built
    assert "--hostname=mine" in command.argv
    assert "--debug-shell" not in command.argv


class Imaged(FakeRunner):
    """Its place says that it is a container of an image."""

    def start(self, request: Any) -> Any:
        opened = super().start(request)
        place: FakePlace = opened.__enter__()
        place.toolkit_image = ToolkitImage(name="mine", id="sha256:" + "7" * 64)
        return _Opened(place)


class _Opened:
    def __init__(self, place: FakePlace) -> None:
        self.place = place

    def __enter__(self) -> FakePlace:
        return self.place

    def __exit__(self, *_: object) -> None:
        """Nothing to do."""


HOME = "ghcr.io/archlinux/mkosi-action"


@pytest.mark.parametrize(
    ("digests", "held", "chosen"),
    [
        ([], "sha256:" + "1" * 64, "sha256:" + "1" * 64),
        ([f"{HOME}@sha256:" + "2" * 64], None, f"{HOME}@sha256:" + "2" * 64),
        (["evil.example/x@sha256:" + "2" * 64], None, None),
        ([f"{HOME}-evil@sha256:" + "2" * 64], None, None),
    ],
)
def test_the_container_image_is_the_records_where_it_is_here_or_the_toolkits_own(
    repository: Path,
    use: Use,
    monkeypatch: pytest.MonkeyPatch,
    digests: list[str],
    held: str | None,
    chosen: str | None,
) -> None:
    published = built(repository, use)
    image = {"name": "x", "id": "sha256:" + "1" * 64, "digests": digests}
    altered(published, "container_image", value=image)
    monkeypatch.setattr("ci_toolkit.runners.container.held", lambda *_: held)
    seen: list[str | None] = []
    runner = Imaged(lambda _: "an image\n")
    start = runner.start

    def noting(request: Any) -> Any:
        seen.append(request.environ.get("CI_TOOLKIT_IMAGE"))
        return start(request)

    monkeypatch.setattr(runner, "start", noting)
    use(runner)
    narration = io.StringIO()
    verdict = rebuilding.rebuild(asked(repository, str(published)), {}, Console(narration=narration)).verdict
    assert seen == [chosen]
    assert ("is not here" in narration.getvalue()) == (chosen is None)
    assert verdict.same
    assert verdict.though == ("the container image was sha256:111111111111, here it is sha256:777777777777",)
