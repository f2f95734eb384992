import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256

import hostile
import pytest
import sample_reports
import situations
from html_page import Page
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.compare.rules.table import RULES
from ci_toolkit.reports import escape
from ci_toolkit.reports.html.page import render
from ci_toolkit.reports.report import Report

SOURCES = {rule.cause.source.rstrip("/") for rule in RULES}
SAMPLES = {
    "identical": sample_reports.identical(),
    "leaky": sample_reports.leaky(),
    "compared": sample_reports.compared(),
}


def only(found: list[str]) -> str:
    (one,) = found
    return one


@pytest.mark.parametrize("name", SAMPLES)
def test_a_page_needs_nothing_else(name: str) -> None:
    text = render(SAMPLES[name])
    page = Page(text)
    assert text.startswith("<!doctype html>\n<html lang=")
    assert not re.search(r"url\(|@import|<link|<img|<iframe|src=|style=", text)
    digests = {kind: b64encode(sha256(only(page.of(kind)).encode()).digest()).decode() for kind in ("style", "script")}
    policy = (
        f"default-src 'none'; style-src 'sha256-{digests['style']}'; script-src 'sha256-{digests['script']}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert ("content", policy) in page.attributes
    assert ("http-equiv", "Content-Security-Policy") in page.attributes
    assert ("content", "no-referrer") in page.attributes


def test_the_verdict_comes_first_then_every_cause_with_the_line_that_mends_it() -> None:
    page = Page(render(SAMPLES["leaky"]))
    assert page.of("h1") == ["✗ Not reproducible: 20 differences, 6 causes, 1 unexplained"]
    assert page.of("title")[0] == "examples/leaky: not reproducible"
    overview, _, _ = page.text.partition("All of these lines in one piece")
    rows = re.findall(r"^(\d+) (.+?)$", overview, re.MULTILINE)
    assert [number for number, _ in rows] == ["1", "2", "3", "4", "5", "6", "7"]
    assert rows[0][1].startswith("Permissions follow the umask of the buildumask 02211 paths27 bytes")
    assert rows[4][1] == "A machine id was made during the buildRemoveFiles=/etc/machine-id1 path30 bytes"
    assert rows[6][1] == "Not explained–1 path14 bytes"


def test_the_overview_leads_to_each_cause() -> None:
    page = Page(render(SAMPLES["leaky"]))
    anchors = [value for name, value in page.attributes if name == "id" and value.startswith("cause-")]
    assert anchors == [f"cause-{number}" for number in range(1, 8)]
    assert [link for link in page.links if link.startswith("#cause")][:7] == [f"#{anchor}" for anchor in anchors]


def test_every_link_on_the_page_leads_somewhere() -> None:
    page = Page(render(SAMPLES["leaky"]))
    anchors = [value for name, value in page.attributes if name == "id"]
    assert len(anchors) == len(set(anchors))
    links = {link.removeprefix("#") for link in page.links if link.startswith("#")}
    assert {"cause-1", "d-0"} < links <= set(anchors)


def test_one_cause_needs_no_overview() -> None:
    report = replace(SAMPLES["leaky"], findings=SAMPLES["leaky"].findings[:1])
    assert "what mends it" not in render(report)
    assert "what mends it" in render(SAMPLES["leaky"])


def test_a_reproducible_image_has_its_digest_and_what_was_varied() -> None:
    report = SAMPLES["identical"]
    page = Page(render(report))
    digest = report.builds[0].artefacts[0].sha256
    assert page.of("h1") == ["✓ Reproducible: two builds, one SHA-256 "]
    assert page.of("code")[0] == digest
    assert page.of("code").count(digest) == 3
    for one in report.variations:
        assert one.first in page.of("td")
        assert one.second in page.of("td")
    assert ("class", "card verdict good") in page.attributes


def test_what_could_not_be_varied_says_why() -> None:
    page = Page(render(SAMPLES["leaky"]))
    assert "1 could not be varied" in page.of("span")
    assert "not varied: only one range of ids is mapped here" in page.of("td")


def test_unexplained_lines_are_shown_as_they_were_and_are() -> None:
    page = Page(render(SAMPLES["leaky"]))
    assert page.of("del")[:1] == ['- {"order": ["b", "a", "c"], "built": 3}']
    assert page.of("ins")[:1] == ['+ {"order": ["a", "c", "b"], "built": 7}']


def test_links_lead_to_the_job_the_artifact_and_the_sources() -> None:
    report = SAMPLES["leaky"]
    assert report.job is not None
    links = {link for link in Page(render(report)).links if not link.startswith("#")}
    assert {report.job.run_url, report.artifact_url} < links
    assert links - {report.job.run_url, report.artifact_url} <= SOURCES


def check_is_inert(report: Report, name: str) -> None:
    text = render(report)
    page = Page(text)
    assert all(re.fullmatch(r"#(cause|d)-\d+", link) or link in SOURCES for link in page.links)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)
    assert not re.search(r"^\s*::", text, re.MULTILINE)
    assert not re.search(r"##\w*\[", text)
    assert escape.name(name) in page.of("code")
    assert page.of("title")[0].startswith(escape.name(name))


@pytest.mark.parametrize("name", hostile.NAMES, ids=lambda name: ascii(name)[:24])
def test_hostile_names_are_text(name: str) -> None:
    check_is_inert(hostile.built(name), name)
    check_is_inert(hostile.compared(name), name)


@given(st.text(max_size=30))
@settings(max_examples=25, deadline=None)
def test_names_of_any_kind_are_text(name: str) -> None:
    check_is_inert(hostile.compared(name), name)


def test_thousands_of_paths_are_cut_and_counted() -> None:
    first = replace(SAMPLES["compared"].findings[0], paths=tuple(f"{n}" for n in range(3_000)), count=100_000)
    page = Page(render(replace(SAMPLES["compared"], findings=(first,))))
    items = page.text.partition("Every difference")[0]
    assert [number for number in range(3_000) if f"\n{number}\n" in items] == list(range(100))
    assert "and 99,900 more paths" in page.of("li")
    assert "99,994 more paths" in page.of("summary")


def test_what_changed_against_each_baseline_has_a_card() -> None:
    (release, _) = situations.matrix()[0].changes[::-1]
    page = Page(render(replace(situations.identical(), changes=(release,))))
    assert "What changed since v1.4" in page.text
    assert "Files: 4,016 added, 4,015 removed, 1 larger, 1 smaller" in page.text
    assert "2:root/usr/lib/systemd/ 2 files–2.4 MB+2.4 MB" in page.text
    assert "Packages: 2 added, 2 removed, 1 upgraded" in page.text
    assert "What changed" not in render(SAMPLES["identical"])
