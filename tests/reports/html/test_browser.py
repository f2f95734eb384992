"""The page in a real browser: no error, no request, and the filter finds what is asked for."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import hostile
import pytest
import sample_reports
from bench import changed
from browser import Browser, browser

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.explain import explain
from ci_toolkit.compare.facts import Facts
from ci_toolkit.reports.html.page import render
from ci_toolkit.reports.report import Report

pytestmark = pytest.mark.slow

LIMIT_BYTES = 5_000_000
SHOWN = "document.querySelectorAll('#tree li[data-c]:not([hidden])').length"
COUNT = "document.getElementById('count').textContent"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("home")) as found:
        yield found


def report(*differences: Difference) -> Report:
    sample = sample_reports.compared()
    assert sample.comparison is not None
    return replace(
        sample,
        comparison=replace(sample.comparison, differences=differences),
        findings=explain(differences, Facts()),
    )


def many() -> Report:
    """10,000 differences: three of four follow from the umask, of the others nobody knows why."""
    found = []
    for number in range(10_000):
        path = ("2:root", f"usr/share/package-{number % 400}/directory/file-{number}.conf")
        if number % 4:
            found.append(Difference(path=path, field=Field.MODE, container="ext4", before=0o644, after=0o600, bytes=2))
        else:
            found.append(changed(path, f"a\nvalue={number}\nb\n".encode(), f"a\nvalue=-{number}\nb\n".encode()))
    return report(*found)


def write(directory: Path, told: Report) -> Path:
    path = directory / "report.html"
    path.write_text(render(told), encoding="utf-8", errors="strict")
    return path


def choose(page: Browser, text: str = "", cause: str = "") -> None:
    """Fill in the filter as a reader does."""
    page.value(
        f"for (const [id, value, event] of [['text', '{text}', 'input'], ['cause', '{cause}', 'change']]) {{"
        " const field = document.getElementById(id); field.value = value; field.dispatchEvent(new Event(event)); }"
    )


def test_ten_thousand_differences_are_a_page_below_5_mb_that_can_be_searched(chromium: Browser, tmp_path: Path) -> None:
    path = write(tmp_path, many())
    assert path.stat().st_size < LIMIT_BYTES
    chromium.open(path)
    assert (chromium.value(SHOWN), chromium.value(COUNT)) == (10_000, "10,000 differences")
    choose(chromium, text="Package-7/")
    expected = sum(1 for number in range(10_000) if number % 400 == 7)
    assert (chromium.value(SHOWN), chromium.value(COUNT)) == (expected, f"{expected} of 10,000 differences")
    # What is found can be seen without opening anything.
    assert chromium.value("[...document.querySelectorAll('#tree li[data-c]:not([hidden])')].every(x => x.offsetHeight)")
    choose(chromium, cause="2")
    assert chromium.value(COUNT) == "2,500 of 10,000 differences"
    choose(chromium, text="file-8.conf", cause="2")
    assert (chromium.value(SHOWN), chromium.value(COUNT)) == (1, "1 of 10,000 differences")
    assert "value=-8" in chromium.value("document.querySelector('#tree li[data-c]:not([hidden])').textContent")
    choose(chromium)
    assert (chromium.value(SHOWN), chromium.value(COUNT)) == (10_000, "10,000 differences")
    assert chromium.trouble == []
    assert chromium.requests == [path.as_uri()]


def test_a_link_to_a_path_opens_the_tree_down_to_it(chromium: Browser, tmp_path: Path) -> None:
    chromium.open(write(tmp_path, many()))
    choose(chromium, text="nothing has this name")
    chromium.value("document.querySelector('a.path').click(); new Promise(done => setTimeout(done, 100))")
    assert chromium.value("document.querySelector(':target').offsetHeight > 0")
    assert chromium.trouble == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_scrolling_sideways(chromium: Browser, tmp_path: Path, scheme: str) -> None:
    chromium.open(write(tmp_path, sample_reports.leaky()), width=400, scheme=scheme)
    assert chromium.value("document.documentElement.scrollWidth") == 400
    wider = "[...document.querySelectorAll('.card')].filter(x => x.scrollWidth > x.clientWidth).map(x => x.textContent)"
    assert chromium.value(wider) == []
    assert chromium.trouble == []


def test_the_page_is_dark_where_the_reader_wants_it(chromium: Browser, tmp_path: Path) -> None:
    path = write(tmp_path, sample_reports.leaky())
    colours = []
    for scheme in ("light", "dark"):
        chromium.open(path, scheme=scheme)
        colour = chromium.value("getComputedStyle(document.body).backgroundColor")
        colours.append(sum(map(int, re.findall(r"\d+", colour))))
    assert colours[0] > 600
    assert colours[1] < 150


def test_paper_is_white_and_has_no_controls(chromium: Browser, tmp_path: Path) -> None:
    chromium.open(write(tmp_path, sample_reports.leaky()), scheme="dark", paper=True)
    for element in ("document.body", "document.querySelector('.card')"):
        colour = chromium.value(f"getComputedStyle({element}).backgroundColor")
        assert sum(map(int, re.findall(r"\d+", colour))) > 700
    assert chromium.value("getComputedStyle(document.getElementById('filter')).display") == "none"


def test_without_a_script_everything_is_there_and_no_control_that_does_nothing(
    chromium: Browser, tmp_path: Path
) -> None:
    chromium.open(write(tmp_path, sample_reports.leaky()), script=False)
    assert chromium.value("getComputedStyle(document.getElementById('filter')).display") == "none"
    assert chromium.value("document.querySelectorAll('#tree [hidden]').length") == 0
    assert chromium.value("document.querySelectorAll('#tree details').length") > 5
    assert chromium.value("[...document.querySelectorAll('#tree li[data-c]')].length") == 20
    assert chromium.trouble == []


def test_hostile_names_start_nothing_and_break_nothing(chromium: Browser, tmp_path: Path) -> None:
    names = [name.replace("\0", "").replace("/", "") or "x" for name in hostile.NAMES]
    found = [
        changed(
            ("2:root", name),
            name.encode("utf-8", "surrogatepass") + b"\n1\n",
            b"2\n" + name.encode("utf-8", "surrogatepass"),
        )
        for name in {*hostile.NAMES, *names}
    ]
    path = write(tmp_path, report(*found))
    chromium.open(path)
    assert chromium.value(SHOWN) == len(found)
    assert chromium.value("document.querySelectorAll('script').length") == 1
    assert (
        chromium.value("document.querySelectorAll('img, iframe, object, [onerror], [onmouseover], h1 ~ h1').length")
        == 0
    )
    choose(chromium, text="onmouseover=")
    assert chromium.value(COUNT).startswith("1 of") or chromium.value(COUNT).startswith("2 of")
    assert chromium.trouble == []
    assert chromium.requests == [path.as_uri()]


def test_no_other_script_and_no_request_would_be_allowed(chromium: Browser, tmp_path: Path) -> None:
    path = write(tmp_path, sample_reports.leaky())
    path.write_text(
        path.read_text(encoding="utf-8").replace(
            "</main>",
            "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\"></main>",
        ),
        encoding="utf-8",
    )
    chromium.open(path)
    assert chromium.value("document.title") == "examples/leaky: not reproducible"
    told = " ".join(str(event) for event in chromium.trouble)
    assert told.count("Content Security Policy") >= 2
