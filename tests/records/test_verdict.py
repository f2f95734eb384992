import json
from dataclasses import replace
from importlib import resources

import jsonschema
import pytest
import recorded

from ci_toolkit.errors import UnreadableError
from ci_toolkit.mkosi.build import Artefact
from ci_toolkit.records import verdict
from ci_toolkit.records.verdict import Platform, Verdict

SCHEMA = json.loads(resources.files("ci_toolkit.records").joinpath("verdict.schema.json").read_text(encoding="utf-8"))
SAME = Verdict(
    same=True,
    record="e" * 64,
    vouched="signed by X",
    image="cloud.raw",
    repository="https://forge.example/images/cloud.git",
    commit="c0ffee" + "0" * 34,
    outputs=verdict.outputs(recorded.RECORD.outputs, recorded.RECORD.outputs),
    because=(),
    though=("ci-toolkit was 0.0.9, here it is 0.1.0",),
    platform=Platform(machine="x86_64", runner="container", toolkit="0.1.0", container_image=None, place="Docker"),
    rebuilt_at=1_770_000_000,
)
DIFFERENT = replace(
    SAME,
    same=False,
    outputs=verdict.outputs(recorded.RECORD.outputs, (Artefact(name="cloud.raw", size=1, sha256="0" * 64),)),
    because=("mkosi was 26, here it is 27\n::error::",),
    though=(),
)


@pytest.mark.parametrize("one", [SAME, DIFFERENT], ids=["same", "different"])
def test_what_is_written_is_what_the_schema_says_and_is_read_again(one: Verdict) -> None:
    document = json.loads(verdict.render(one))
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert verdict.parse(verdict.render(one).encode()) == one
    assert document["sentence"] == one.sentence


def test_its_sentence_says_all_on_one_line() -> None:
    assert SAME.sentence == (
        f"rebuilt cloud.raw to {'b' * 64} on x86_64, container at commit {SAME.commit}: same, "
        "though ci-toolkit was 0.0.9, here it is 0.1.0"
    )
    assert DIFFERENT.sentence.startswith(f"rebuilt cloud.raw to {'0' * 64} on x86_64, container at commit ")
    assert ": different, because mkosi was 26, here it is 27" in DIFFERENT.sentence
    assert "\n" not in DIFFERENT.sentence


def test_of_a_container_image_the_sentence_has_the_digest_of_its_index() -> None:
    files = tuple(
        Artefact(name=name, size=1, sha256=digest * 64)
        for name, digest in (("base.manifest", "1"), ("base/blobs/sha256/2", "2"), ("base/index.json", "3"))
    )
    assert replace(SAME, image="base", outputs=verdict.outputs(files, files)).sentence.startswith(
        f"rebuilt base to {'3' * 64} on "
    )


def test_the_same_are_all_files_with_the_same_bytes() -> None:
    record = recorded.RECORD
    assert verdict.same(record, record)
    assert not verdict.same(record, replace(record, outputs=record.outputs[:1]))
    assert not verdict.same(replace(record, outputs=record.outputs[:1]), record)
    assert not verdict.same(replace(record, outputs=()), replace(record, outputs=()))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("schema", 2),
        ("verdict", "fine"),
        ("verdict", "different"),
        ("outputs", []),
        ("record", "0"),
        ("image", "../x"),
        ("rebuilt_at", -1),
        ("because", "x"),
        ("platform", None),
    ],
)
def test_one_that_is_none_or_that_its_digests_belie_is_refused(name: str, value: object) -> None:
    document = json.loads(verdict.render(SAME)) | {name: value}
    with pytest.raises(UnreadableError) as refused:
        verdict.parse(json.dumps(document).encode())
    assert "\n" not in refused.value.message
