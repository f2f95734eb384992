import json
from collections.abc import Iterator
from typing import Any

import pytest
import sample_reports
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_toolkit.compare.difference import Content, Difference
from ci_toolkit.errors import UnreadableError
from ci_toolkit.reports import markdown, stored, summary, terminal
from ci_toolkit.reports.html import page
from ci_toolkit.reports.json import render
from ci_toolkit.reports.report import Report

# Nothing here is about time, and machines are slow at times.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SITE = "https://github.com/archlinux/mkosi-action"
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["\ud800", "\x00", "https://[", "9" * 400, 10**400, 1e308, -(2**63), 2**63])
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
TEXT = render(sample_reports.leaky())
BUILD = {"image": "image", "seconds": 1, "started": 1, "log": "first.log", "artefacts": []}


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(TEXT)
    return found


def places(value: object) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of VALUE."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])  # type: ignore[index]


def parsed(value: object) -> Report:
    return stored.parse(json.dumps(value))


def refusal(text: str) -> str:
    with pytest.raises(UnreadableError) as caught:
        stored.parse(text)
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 200
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the report is no JSON: line 1, Expecting value"),
        ("{\n,}", "the report is no JSON: line 2, Expecting property name enclosed in double quotes"),
        ('{"schema": NaN}', "the report is no JSON: it cannot be read"),
        ("[" * 200_000, "the report is no JSON: it cannot be read"),
        ('{"schema": ' + "9" * 5_000 + "}", "the report is no JSON: it cannot be read"),
        ("[]", "the report is not ours: it is not an object"),
        ("null", "the report is not ours: it is not an object"),
        ("{}", "the report is not ours: schema is not there"),
        ('{"schema": true}', "the report is not ours: schema is not a whole number"),
        ('{"schema": 0}', "the report is not ours: schema is not 1"),
        ('{"schema": 2}', "the report is of schema 2, and this toolkit reads 1"),
        ('{"schema": 1}', "the report is not ours: verdict is not a text"),
    ],
    ids=lambda text: str(text)[:20],
)
def test_what_is_no_report_is_refused_in_one_line(text: str, message: str) -> None:
    assert refusal(text) == message


def test_a_text_that_is_too_large_is_not_even_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "LIMIT_CHARACTERS", 10)
    assert refusal("[" * 11) == "the report is larger than 64 MiB"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": None}, "a is not there although the images differ"),
        ({"b": None}, "b is not an object"),
        ({"verdict": "perhaps"}, "verdict is not one of: identical, different, failed"),
        ({"verdict": "failed"}, "failure is not there exactly where the verdict is failed"),
        ({"failure": {"exit_code": 4, "message": "no", "hint": None}}, "failure is not there exactly where"),
        ({"verdict": "failed", "failure": {"exit_code": 4, "message": 5}}, "failure.message is not a text"),
        ({"variant": 7}, "variant is not a text"),
        ({"builds": [BUILD | {"packages": [{}]}]}, "builds[0].packages[0].name is not a text"),
        ({"builds": [BUILD | {"packages": [{}] * 50_001}]}, "builds[0].packages is not a list of at most 50,000"),
        ({"differing_bytes": -1}, "differing_bytes is not a whole number"),
        ({"explained_bytes": 2**63}, "explained_bytes is not a whole number"),
        ({"truncated": 1}, "truncated is not true or false"),
        ({"notes": ["", {}]}, "notes[1] is not a text"),
        ({"notes": [""] * 1_001}, "notes is not a list of at most 1,000"),
        ({"title": "x" * (1024 * 1024 + 1)}, "title is not a text"),
        ({"disks": [{"size": 1, "parts": []}]}, "disks is not a list of two"),
        ({"disks": [{"size": 1, "parts": [{}] * 129}]}, "disks[0].parts is not a list of at most 128"),
        ({"builds": [{}]}, "builds[0].image is not a text"),
        ({"job": {"provider": "jenkins"}}, "job.provider is not one of:"),
        ({"differences": [{"path": [{}]}]}, "differences[0].path[0].name_base64 is not a text"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_refusal_names_the_place(change: dict[str, object], message: str) -> None:
    assert message in refusal(json.dumps(document() | change))


@pytest.mark.parametrize(
    "spans", [[[1]], [[1, 2, 3]], [[-1, 2]], [[0, 2**63]], 1, [[0, 1]] * 257], ids=lambda v: str(v)[:20]
)
def test_places_that_are_none_are_refused(spans: object) -> None:
    changed = document()
    changed["findings"][0]["spans"] = spans
    assert "findings[0].spans" in refusal(json.dumps(changed))


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        {},
        {"base64": "%"},
        {"base64": "é"},
        {"size": -1, "sha256": "0" * 64},
        {"size": 2**64, "sha256": "0" * 64},
        {"size": 1, "sha256": "0"},
        [2**97],
        [None],
        2**96,
    ],
    ids=str,
)
def test_a_value_of_another_kind_is_refused(value: object) -> None:
    changed = document()
    changed["differences"][0]["before"] = value
    assert "differences[0].before" in refusal(json.dumps(changed))


@RELAXED
@given(ANYTHING)
def test_json_of_any_kind_is_refused_and_nothing_else_happens(value: object) -> None:
    with pytest.raises(UnreadableError):
        stored.parse(json.dumps(value))


@RELAXED
@given(st.text(max_size=200))
def test_a_text_of_any_kind_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(UnreadableError):
        stored.parse(text)


@RELAXED
@given(st.data())
def test_a_report_with_one_place_changed_is_refused_or_can_be_told(data: st.DataObject) -> None:
    changed = document()
    container, key = data.draw(st.sampled_from(list(places(changed))))
    if data.draw(st.booleans()) and isinstance(container, dict):
        del container[key]
    else:
        container[key] = data.draw(ANYTHING)
    try:
        report = parsed(changed)
    except UnreadableError:
        return
    for text in (
        markdown.render(report),
        summary.render(report),
        page.render(report),
        terminal.render(report),
        render(report),
    ):
        text.encode()


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        (f"{SITE}/actions/runs/1", True),
        (SITE, True),
        (f"{SITE}-evil/actions", False),
        ("https://evil.example/archlinux/mkosi-action/", False),
        (f"{SITE}@evil.example/", False),
        ("javascript:alert(1)", False),
        (f"{SITE}/a b", False),
        (f'{SITE}/"onclick=', False),
        (f"{SITE}/)[x](https://evil.example", False),
        ("https://[", False),
    ],
)
def test_links_are_kept_below_the_site_alone(url: str, kept: bool) -> None:
    changed = document() | {"artifact_url": url}
    changed["job"]["run_url"] = url
    report = stored.parse(json.dumps(changed), site=SITE)
    assert report.job is not None
    expected = url if kept else None
    assert (report.artifact_url, report.job.run_url) == (expected, expected)


def test_without_a_site_no_link_is_kept() -> None:
    report = stored.parse(TEXT)
    assert report.artifact_url is None
    assert report.job is not None
    assert report.job.run_url is None


def test_links_to_sources_are_those_of_our_own_rules() -> None:
    changed = document()
    changed["findings"][0]["source"] = "https://evil.example/"
    found = parsed(changed).findings
    assert found[0].source == ""
    assert found[1].source.startswith("https://")


def test_a_stored_job_may_not_write_anything() -> None:
    changed = document()
    changed["job"] |= {"may_write": True, "summary_file": "/etc/passwd", "output_file": "/etc/passwd", "api_url": SITE}
    job = parsed(changed).job
    assert job is not None
    assert not job.may_write
    assert (job.summary_file, job.output_file, job.api_url) == (None, None, None)


def test_a_stored_log_is_a_name_without_a_place() -> None:
    changed = document()
    changed["builds"][0]["log"] = "../../etc/\0passwd"
    assert str(parsed(changed).builds[0].log) == "passwd"


def test_members_that_a_later_version_adds_are_not_minded() -> None:
    assert parsed(document() | {"later": [1]}) == stored.parse(TEXT)


def test_a_stored_name_that_is_no_utf8_keeps_its_bytes() -> None:
    changed = document()
    changed["differences"][0]["path"] = [{"name_base64": "ZXRjL/8="}]
    comparison = parsed(changed).comparison
    assert comparison is not None
    first: Difference = comparison.differences[0]
    assert first.path == ("etc/\udcff",)


def test_a_stored_content_may_claim_the_size_that_64_bits_can() -> None:
    changed = document()
    changed["differences"][0]["before"] = {"size": 2**64 - 1, "sha256": "0" * 64}
    comparison = parsed(changed).comparison
    assert comparison is not None
    before = comparison.differences[0].before
    assert isinstance(before, Content) and before.size == 2**64 - 1
