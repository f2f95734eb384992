import json
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import recorded
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.errors import UnreadableError
from ci_toolkit.mkosi.build import Artefact
from ci_toolkit.records import stored
from ci_toolkit.records.record import NAME

SCHEMA: dict[str, Any] = json.loads(
    resources.files("ci_toolkit.records").joinpath("build-record.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
BARE = replace(
    recorded.origin(repository=None, commit=None, dirty=True, left_out=()),
    toolkit_image=None,
    packages=None,
    varying=replace(recorded.RECORD.varying, verdict=None),
)


@pytest.mark.parametrize("record", [recorded.RECORD, BARE], ids=["full", "bare"])
def test_what_is_written_is_what_the_schema_says_and_is_read_again(record: Any) -> None:
    text = stored.render(record)
    assert text.isascii()
    VALIDATOR.validate(json.loads(text))
    assert stored.parse(text.encode()) == record


def test_a_name_that_is_no_utf_8_is_kept() -> None:
    odd = replace(recorded.RECORD, outputs=(Artefact(name="tree/\udcff\n", size=1, sha256="0" * 64),))
    assert stored.parse(stored.render(odd).encode()) == odd


def test_a_record_is_written_whole_and_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("untouched")
    (tmp_path / NAME).symlink_to("victim")
    stored.write(recorded.RECORD, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {NAME, "victim"}
    assert (tmp_path / "victim").read_text() == "untouched"
    assert stored.parse((tmp_path / NAME).read_bytes()) == recorded.RECORD
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o644


def changed(*path: str | int, value: object) -> bytes:
    document = json.loads(stored.render(recorded.RECORD))
    at = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[" * 100_000,
        b"{}",
        b'{"schema": true}',
        b'{"schema": 1, "x": [' + b"[[]]," * 200_000 + b"0]}",
        changed("schema", value=2),
        changed("source", "commit", value="--upload-pack=touch /x"),
        changed("source", "commit", value="c0ffee"),
        changed("source", "directory", value="../../etc"),
        changed("source", "directory", value="/etc"),
        changed("source", "digest", value="D" * 64),
        changed("image", "profiles", value=["-x"]),
        changed("image", "profiles", value=["../x"]),
        changed("image", "arguments", value="--debug"),
        changed("image", "epoch", value=-1),
        changed("image", "epoch", value=1.5),
        changed("image", "seed", value="random"),
        changed("runner", value="--privileged"),
        changed("container_image", "id", value="sha256:latest"),
        changed("container_image", "digests", value=["ghcr.io/evil:latest"]),
        changed("container_image", "digests", value=["--privileged@sha256:" + "0" * 64]),
        changed("outputs", 0, "name", value="../x"),
        changed("outputs", 0, "name", value="a\0b"),
        changed("outputs", 0, "size", value=2**64),
        changed("outputs", 0, "sha256", value=None),
        changed("main", value="x" * 100_000),
        changed("packages", value={}),
        changed("packages", 0, "sha256", value="0"),
        changed("surroundings", "umask", value="022"),
        changed("varying", "seconds", value=float("nan")),
        changed("varying", "verdict", value="fine"),
    ],
)
def test_what_is_no_record_is_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(UnreadableError) as refused:
        stored.parse(content)
    assert "\n" not in refused.value.message
    assert refused.value.hint


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(sorted(SCHEMA["properties"])),
)
def test_whatever_stands_in_it_nothing_but_a_refusal_comes_of_it(value: object, name: str) -> None:
    document = json.loads(stored.render(recorded.RECORD)) | {name: value}
    try:
        stored.parse(json.dumps(document).encode())
    except UnreadableError:
        return
