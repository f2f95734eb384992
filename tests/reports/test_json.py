import json as plain_json
from dataclasses import replace
from importlib import resources
from typing import Any

import jsonschema
import pytest
import sample_reports
import situations
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_toolkit.compare.comparison import Comparison, Skipped
from ci_toolkit.compare.difference import Content, Difference, Field, Value
from ci_toolkit.compare.finding import PATHS_SHOWN
from ci_toolkit.reports import json, stored
from ci_toolkit.reports.report import Report

# Nothing here is about time, and machines are slow at times.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SITE = "https://github.com/archlinux/mkosi-action"
SCHEMA: dict[str, Any] = plain_json.loads(
    resources.files("ci_toolkit.reports").joinpath("report.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
# Only where there is something to say; all but the first came later, and older reports lack them.
OPTIONAL = {
    *("sample", "disks", "spans", "members", "diffoscope", "packages", "variant", "failure"),
    *("once", "formats", "boots"),
}
SAMPLES = {
    "identical": sample_reports.identical(),
    "leaky": sample_reports.leaky(),
    "compared": sample_reports.compared(),
    "failed": replace(situations.failed(), job=None),
    "built": replace(situations.built(), job=None),
    "not started": replace(situations.not_started(), job=None),
    "variant": replace(sample_reports.identical(), variant="server, arm64"),
}

# Names as the file system hands them on: bytes that are no UTF-8 stand in them as lone surrogates.
NAMES = st.one_of(st.text(max_size=20), st.binary(max_size=20).map(lambda raw: raw.decode("utf-8", "surrogateescape")))
SIZES = st.integers(min_value=0, max_value=2**63 - 1)
CONTENTS = st.builds(Content, size=SIZES, sha256=st.sampled_from(("0" * 64, "")), head=st.binary(max_size=40))
VALUES: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.booleans(),
    # Flags of 64 bits, and nanoseconds of times that have 64 bits of seconds.
    st.integers(min_value=-(2**95), max_value=2**95),
    NAMES,
    st.binary(max_size=20),
    st.tuples(SIZES, SIZES),
    st.lists(NAMES, max_size=3).map(tuple),
)


def differences(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Difference]:
    return st.builds(
        Difference,
        path=st.lists(NAMES, max_size=3).map(tuple),
        field=st.sampled_from(Field),
        name=st.none() | st.text(st.characters(codec="utf-8"), max_size=10),
        container=st.just("ext4"),
        before=values,
        after=values,
        opened=st.booleans(),
        bytes=SIZES,
        first_offset=st.none() | SIZES,
    )


def document(report: Report) -> dict[str, Any]:
    found: dict[str, Any] = plain_json.loads(json.render(report))
    return found


def with_differences(*found: Difference, **fields: Any) -> Report:
    comparison = SAMPLES["compared"].comparison
    assert comparison is not None
    return replace(SAMPLES["compared"], findings=(), comparison=replace(comparison, differences=found, **fields))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_is_strict_about_every_object() -> None:
    def walk(node: object) -> None:
        if isinstance(node, dict):
            if node.get("type") == "object":
                assert node["additionalProperties"] is False
                assert sorted(node["required"]) == sorted(set(node["properties"]) - OPTIONAL)
            for child in node.values():
                walk(child)
        elif isinstance(node, list):
            for child in node:
                walk(child)

    walk(SCHEMA)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_report_is_what_the_schema_says(name: str) -> None:
    VALIDATOR.validate(document(SAMPLES[name]))


def test_times_of_an_inode_survive_far_from_the_epoch() -> None:
    times = Difference(
        path=("a",),
        field=Field.MTIME,
        name="accessed, changed",
        container="ext4",
        before=(-(2**70), 0),
        after=(2**70, 1),
    )
    text = json.render(with_differences(times))
    VALIDATOR.validate(plain_json.loads(text))
    kept = stored.parse(text).comparison
    assert kept is not None
    assert kept.differences == (times,)


def test_the_schema_knows_every_field_of_a_difference_and_every_provider() -> None:
    found = SCHEMA["$defs"]["difference"]["properties"]["field"]["enum"]
    assert found == [field.value for field in Field]
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(document(SAMPLES["leaky"]) | {"more": 1})


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"verdict": "same"},
        {"a": None},
        {"b": None},
        {"differing_bytes": -1},
        {"explained_bytes": None},
        {"truncated": 0},
        {"notes": [1]},
        {"job": {}},
    ],
    ids=str,
)
def test_the_schema_refuses_what_is_none_of_ours(change: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(document(SAMPLES["leaky"]) | change)


def test_a_report_is_ascii_and_its_lists_compare_line_by_line() -> None:
    report = with_differences(
        *(
            Difference(path=(f"é{index}",), field=Field.MODE, container="ext4", before=0o644, after=0o600)
            for index in range(3)
        )
    )
    text = json.render(report)
    assert text.isascii()
    assert text.endswith("\n}\n")
    assert [line for line in text.splitlines() if '"field": "mode"' in line] == [
        f'    {{"path": ["\\u00e9{index}"], "field": "mode", "name": null, "container": "ext4", "before": 420, '
        f'"after": 384, "opened": false, "bytes": 0, "first_offset": null}}{"," if index < 2 else ""}'
        for index in range(3)
    ]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_report_that_was_read_is_written_again_as_it_was(name: str) -> None:
    text = json.render(SAMPLES[name])
    assert json.render(json.parse(text, site=SITE)) == text


def test_everything_but_whole_contents_comes_back_as_it_was() -> None:
    report = SAMPLES["leaky"]
    comparison = report.comparison
    assert comparison is not None
    back = json.parse(json.render(report), site=SITE)
    assert back.comparison is not None
    assert replace(back, comparison=None, builds=()) == replace(report, comparison=None, builds=())
    assert [build.artefacts for build in back.builds] == [build.artefacts for build in report.builds]
    assert replace(back.comparison, differences=()) == replace(comparison, differences=())
    assert back.comparison.disks is not None
    assert any(finding.spans for finding in back.findings)
    assert sorted(index for finding in back.findings for index in finding.members) == list(
        range(len(comparison.differences))
    )


def test_a_report_from_before_disks_and_spans_is_read_all_the_same() -> None:
    older = document(SAMPLES["leaky"])
    del older["disks"]
    for finding in older["findings"]:
        finding.pop("spans", None)
        finding.pop("members", None)
    VALIDATOR.validate(older)
    back = json.parse(plain_json.dumps(older))
    assert back.comparison is not None
    assert back.comparison.disks is None
    assert {(finding.spans, finding.members) for finding in back.findings} == {((), ())}


def test_what_diffoscope_says_comes_back_as_it_was() -> None:
    difference = Difference(
        path=("app",), field=Field.CONTENT, container="ext4", before=None, after=None, diffoscope="--- a\n+++ b\n\udcff"
    )
    text = json.render(with_differences(difference))
    VALIDATOR.validate(plain_json.loads(text))
    back = json.parse(text)
    assert back.comparison is not None
    assert back.comparison.differences[0].diffoscope == "--- a\n+++ b\n\\udcff"


@RELAXED
@given(st.lists(differences(VALUES), max_size=3), st.lists(NAMES, max_size=3))
def test_typed_values_and_names_of_any_bytes_come_back_as_they_were(
    found: list[Difference], skipped: list[str]
) -> None:
    report = with_differences(*found, skipped=(Skipped(path=tuple(skipped), reason="not read"),))
    text = json.render(report)
    VALIDATOR.validate(plain_json.loads(text))
    back = json.parse(text)
    assert back == report
    # Python has True == 1 and () == (): the types must agree too.
    assert back.comparison is not None
    assert repr(back.comparison.differences) == repr(tuple(found))


@pytest.mark.parametrize("name", ["\ud800", "a\udfff", "\udcff\ud800"], ids=ascii)
def test_a_name_that_no_file_system_has_is_written_all_the_same(name: str) -> None:
    difference = Difference(path=(name,), field=Field.TARGET, container="ext4", before=name, after=None)
    report = replace(with_differences(difference), title=name, notes=(name,))
    text = json.render(report)
    VALIDATOR.validate(plain_json.loads(text))
    assert json.render(json.parse(text)) == text


@RELAXED
@given(st.lists(differences(st.one_of(CONTENTS, VALUES)), max_size=2))
def test_contents_of_any_bytes_are_written_again_as_they_were(found: list[Difference]) -> None:
    text = json.render(with_differences(*found))
    VALIDATOR.validate(plain_json.loads(text))
    assert json.render(json.parse(text)) == text


def test_a_list_that_nobody_could_read_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SCHEMA["properties"]["differences"]["maxItems"] == json.DIFFERENCES_LIMIT
    assert SCHEMA["$defs"]["finding"]["properties"]["paths"]["maxItems"] == PATHS_SHOWN
    monkeypatch.setattr(json, "DIFFERENCES_LIMIT", 3)
    comparison = SAMPLES["leaky"].comparison
    assert isinstance(comparison, Comparison)
    assert not comparison.truncated
    cut = document(SAMPLES["leaky"])
    assert len(cut["differences"]) == 3
    assert cut["truncated"] is True


def test_of_too_many_differences_times_are_left_out_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "DIFFERENCES_LIMIT", 4)
    mode = Difference(path=("a",), field=Field.MODE, container="ext4", before=1, after=2)
    time = Difference(path=("a",), field=Field.MTIME, container="ext4", before=1, after=2)
    found = with_differences(time, mode, time, replace(time, path=("late",)), mode, mode)
    findings = [replace(SAMPLES["leaky"].findings[0], members=members) for members in ((0, 2, 3), (1, 4, 5))]
    cut = document(replace(found, findings=tuple(findings)))
    assert [one["field"] for one in cut["differences"]] == ["mtime", "mode", "mode", "mode"]
    assert [finding["members"] for finding in cut["findings"]] == [[0], [1, 2, 3]]


def test_no_secret_and_no_path_of_the_machine_is_in_a_report() -> None:
    job = SAMPLES["leaky"].job
    assert job is not None
    report = replace(SAMPLES["leaky"], job=replace(job, summary_file="/secret/summary", output_file="/secret/output"))
    text = json.render(report)
    assert "/secret" not in text
    assert "$y$j9T$" not in text
    assert [build["log"] for build in document(report)["builds"]] == ["first.log", "first.log"]
