import io
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_runner
import pytest
from fake_runner import FakeRunner

from ci_toolkit import pipeline
from ci_toolkit.console import Console
from ci_toolkit.errors import BuildError
from ci_toolkit.records import stored
from ci_toolkit.records.record import NAME
from ci_toolkit.site import Wishes


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeRunner], FakeRunner]:
    return lambda runner: fake_runner.install(monkeypatch, runner)


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    place = tmp_path / "repository/images"
    place.mkdir(parents=True)
    (place / "mkosi.conf").touch()
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org")
    for words in (
        ("init", "--quiet"),
        ("remote", "add", "origin", "https://u:glpat-secret@forge.example/a/b.git"),
        ("add", "."),
        (*identity, "commit", "--quiet", "--message=One"),
    ):
        subprocess.run(("git", "-C", tmp_path / "repository", *words), check=True, capture_output=True)
    return place


def wishes(definition: Path, output: str = "output", *arguments: str) -> Wishes:
    base = definition.parents[1]
    return Wishes(
        directory=definition, output=base / output, cache=base / "cache", mkosi_arguments=arguments, profiles=("one",)
    )


def built(wished: Wishes, verb: Any = pipeline.build, **environ: str) -> bytes:
    verb(wished, {"HOME": "/nonexistent", **environ}, Console(narration=io.StringIO()))
    return (wished.output / NAME).read_bytes()


def test_a_record_tells_what_was_built_from_what(definition: Path, use: Callable[[FakeRunner], FakeRunner]) -> None:
    use(FakeRunner(lambda _: "an image\n"))
    record = stored.parse(built(wishes(definition)))
    commit = subprocess.run(
        ("git", "-C", definition, "rev-parse", "HEAD"), check=True, capture_output=True, text=True
    ).stdout.strip()
    digest = subprocess.run(
        ("sha256sum", definition.parents[1] / "output/image.txt"), check=True, capture_output=True, text=True
    ).stdout.split()[0]
    assert record.origin.repository == "https://forge.example/a/b.git"
    assert (record.origin.commit, record.origin.directory, record.origin.dirty) == (commit, "images", False)
    assert [(one.name, one.sha256) for one in record.outputs] == [("image.txt", digest)]
    assert record.main == "image.txt"
    assert record.image.profiles == ("one",)
    assert record.command[0] == "mkosi"
    assert "--profile=one" in record.command
    assert f"--source-date-epoch={record.image.epoch}" in record.command


def test_two_builds_and_a_verification_differ_in_what_varies_alone(
    definition: Path, use: Callable[[FakeRunner], FakeRunner]
) -> None:
    use(FakeRunner(lambda _: "an image\n"))
    documents = [
        json.loads(built(wishes(definition, "output"))),
        json.loads(built(wishes(definition, "another/output"))),
        json.loads(built(wishes(definition, "third"), pipeline.verify)),
    ]
    varying = [document.pop("varying") for document in documents]
    assert documents[0] == documents[1] == documents[2]
    assert [list(document) for document in documents] == [list(documents[0])] * 3
    assert [one["verdict"] for one in varying] == [None, None, "identical"]
    assert varying[0]["started"] < varying[1]["started"]


def test_the_record_of_a_verification_that_fails_says_so(
    definition: Path, use: Callable[[FakeRunner], FakeRunner]
) -> None:
    use(FakeRunner(lambda environment: environment.hostname))
    wished = replace(wishes(definition), vary=frozenset(("hostname",)))
    assert json.loads(built(wished, pipeline.verify))["varying"]["verdict"] == "different"


def test_nobodys_secret_is_in_it(definition: Path, use: Callable[[FakeRunner], FakeRunner]) -> None:
    use(FakeRunner(lambda _: "an image\n"))
    (definition / "mkosi.rootpw").write_text("hunter2")
    arguments = ("--mirror=https://user:sesame1@forge.example/", "--environment=A_TOKEN=sesame2", "--hostname=sesame3")
    content = built(wishes(definition, "output", *arguments), GITHUB_TOKEN="sesame3").decode()
    assert [secret for secret in ("sesame", "glpat", "hunter2") if secret in content] == []
    assert stored.parse(content.encode()).origin.left_out == ("images/mkosi.rootpw",)


def test_a_build_that_fails_leaves_the_record_from_before(
    definition: Path, use: Callable[[FakeRunner], FakeRunner]
) -> None:
    use(FakeRunner(lambda _: "an image\n"))
    before = built(wishes(definition))
    use(FakeRunner(lambda _: "half", exit_code=1))
    with pytest.raises(BuildError):
        built(wishes(definition))
    assert (definition.parents[1] / "output" / NAME).read_bytes() == before


def test_an_image_that_calls_itself_a_record_is_not_followed(
    definition: Path, use: Callable[[FakeRunner], FakeRunner], tmp_path: Path
) -> None:
    runner = use(FakeRunner(lambda _: "an image\n"))
    victim = tmp_path / "victim"
    victim.write_text("untouched")

    def content(_: object) -> str:
        assert runner.place is not None
        (runner.place.scratch / "output" / NAME).symlink_to(victim)
        return "an image\n"

    runner.content = content
    stored.parse(built(wishes(definition)))
    assert victim.read_text() == "untouched"
