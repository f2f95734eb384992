import re
from collections.abc import Iterator
from dataclasses import replace

import hostile
import pytest
import sample_reports
from bench import changed, differs
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.compare.comparison import Comparison, Side, Skipped, Verdict
from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.explain import explained_bytes
from ci_toolkit.compare.finding import Finding
from ci_toolkit.compare.rules.table import RULES
from ci_toolkit.reports import markdown
from ci_toolkit.reports.report import Report

MARKDOWN = MarkdownIt("gfm-like")
OURS = re.compile(r"<details>\n<summary>[\w ,()':]+</summary>|</details>|<br>")
SOURCES = {rule.cause.source.rstrip("/") for rule in RULES}
BUDGET = 65_000

UMASK = "# in the shell that starts mkosi\numask 022  # `ci-toolkit build` does this"
LOG = "[Content]\nRemoveFiles=/var/log/dpkg.log\n# Or tell dpkg to write none."


def finding(cause: str, title: str, fix: str, *paths: str) -> Finding:
    return Finding(
        cause=cause,
        title=title,
        explanation=f"This is why, says {cause}.",
        fix=fix,
        source=f"https://a.example/{cause}",
        paths=paths,
        count=len(paths),
        bytes=len(paths) - 1,
    )


DIFFERENCES = (
    *(differs(("2:root", f"etc/{letter}"), Field.MODE, 0o644, 0o600) for letter in "abcdef"),
    changed(("2:root", "var/log/dpkg.log"), b"one\n", b"two\n"),
    changed(("2:root", "srv/index"), b"b a\n", b"a b\n"),
)
COMPARED = Report(
    title="a.raw and b.raw",
    verdict=Verdict.DIFFERENT,
    comparison=Comparison(
        verdict=Verdict.DIFFERENT,
        a=Side(name="a.raw", format="gpt", size=1_000_000, sha256="a" * 64),
        b=Side(name="b|c", format="directory", size=12, sha256=None),
        differing_bytes=100,
        first_offset=7,
        differences=DIFFERENCES,
        skipped=(Skipped(path=("2:root", "srv/x.img"), reason="a btrfs file system, which is not read"),),
    ),
    findings=(
        finding("umask", "Permissions follow the umask", UMASK, *(f"2:root › etc/{letter}" for letter in "abcdef")),
        finding("log-file", "A log of the build is in the image", LOG, "2:root › var/log/dpkg.log"),
        replace(finding("unknown", "Not explained", "", "2:root › srv/index"), source=""),
    ),
    explained_bytes=50,
)

COMPARED_TEXT = """\
### ❌ Different: 8 differences, 2 causes, 1 unexplained · 1.0 MB and 12 bytes

`a.raw and b.raw` · 50 % of 100 differing bytes explained

|  | cause | what mends it | paths |
| --- | --- | --- | --: |
| 1 | Permissions follow the umask | `umask 022` | 6 |
| 2 | A log of the build is in the image | `RemoveFiles=/var/log/dpkg.log` | 1 |
| 3 | Not explained | – | 1 |

<details>
<summary>All of these lines in one piece</summary>

```ini
[Content]
RemoveFiles=/var/log/dpkg.log
# in the shell that starts mkosi
umask 022  # `ci-toolkit build` does this
```

</details>

#### 1. Permissions follow the umask

`umask` · 6 paths, 5 bytes

This is why, says umask. ([source](https://a.example/umask))

```ini
# in the shell that starts mkosi
umask 022  # `ci-toolkit build` does this
```

- `2:root › etc/a` mode 0644 → 0600
- `2:root › etc/b` mode 0644 → 0600
- `2:root › etc/c` mode 0644 → 0600
- `2:root › etc/d` mode 0644 → 0600

<details>
<summary>2 more paths</summary>

- `2:root › etc/e` mode 0644 → 0600
- `2:root › etc/f` mode 0644 → 0600

</details>

#### 2. A log of the build is in the image

`log-file` · 1 path

This is why, says log-file. ([source](https://a.example/log-file))

```ini
[Content]
RemoveFiles=/var/log/dpkg.log
```

Or tell dpkg to write none.

- `2:root › var/log/dpkg.log`

#### 3. Not explained

`unknown` · 1 path

No rule recognises these differences; each is listed with where it begins.

- `2:root › srv/index` 4 bytes, first differs at offset 0

`2:root › srv/index`:

```diff
- b a
+ a b
```

|  | format | size | SHA-256 |
| --- | --- | --: | --- |
| first: `a.raw` | gpt | 1.0 MB | `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` |
| second: `b\\x7cc` | directory | 12 bytes | – |

<details>
<summary>1 place not looked into (their bytes were compared)</summary>

- `2:root › srv/x.img`: a btrfs file system, which is not read

</details>
"""

SIGNED = Report(
    title="images/tiny",
    verdict=Verdict.DIFFERENT,
    comparison=replace(COMPARED.comparison, differences=(), skipped=()) if COMPARED.comparison else None,
    builds=sample_reports.leaky().builds,
    notes=("The second build was slow.",),
    job=Job(provider=Provider.GITHUB, commit="3d962cd2a1b5d65b9d3a2f0c4e5b6a7988776655"),
    artifact_url="https://github.com/a/b/actions/runs/1/artifacts/2",
)

SIGNED_TEXT = """\
### ❌ Not reproducible: 100 bytes, the first at offset 7; nothing was found that tells why · 835 MB · 102 s

none of 100 differing bytes explained · commit `3d962cd2a1b5` · \
[the whole report](https://github.com/a/b/actions/runs/1/artifacts/2)

| image | SHA-256 | size | packages | reproducible | time |
| --- | --- | --: | --- | --- | --: |
| `images/tiny` | `a7937b64b8ca`…<br>`16367aacb67a`… | 835\N{NO-BREAK SPACE}MB | 5 \
| ❌ no cause was found | 102\N{NO-BREAK SPACE}s |

⚠️ The second build was slow.

1 other artefact came out the same.

<details>
<summary>Files and their digests</summary>

|  | size | SHA-256 |
| --- | --: | --- |
| `image.raw` | 835 MB | `a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e`<br>\
`16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4` |
| `image.manifest` | 48.2 kB | `05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f` |

</details>
"""


@pytest.mark.parametrize(
    ("report", "text"),
    [(COMPARED, COMPARED_TEXT), (SIGNED, SIGNED_TEXT)],
    ids=["different", "nothing found"],
)
def test_a_small_report_as_a_whole(report: Report, text: str) -> None:
    assert markdown.render(report) == text


def tokens(text: str) -> Iterator[Token]:
    for token in MARKDOWN.parse(text):
        yield token
        yield from token.children or ()


def addresses(text: str) -> set[str]:
    return {str(token.attrs["href"]) for token in tokens(text) if token.type == "link_open"}


def check_is_inert(text: str) -> None:
    """Nothing is in TEXT but our own folds, our own links, words and code."""
    for token in tokens(text):
        assert token.type != "image"
        if token.type in ("html_block", "html_inline"):
            assert OURS.fullmatch(token.content.strip())
        if token.type == "text":
            assert not re.search(r"@|#\d|://|www\.|evil\.example|/close|::|GH-\d|[~$]", token.content)
    assert addresses(text) <= SOURCES
    assert not re.search(r"^\s*::", text, re.MULTILINE)
    assert not re.search(r"##\w*\[", text)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)


@pytest.mark.parametrize("name", hostile.NAMES, ids=lambda name: ascii(name)[:24])
def test_hostile_names_are_text(name: str) -> None:
    for report in (hostile.built(name), hostile.compared(name), hostile.failed(name)):
        text = markdown.render(report)
        check_is_inert(text)
        assert max(map(len, text.splitlines())) < 12_000


@given(st.text(max_size=30))
@settings(max_examples=25, deadline=None)
def test_names_of_any_kind_are_text(name: str) -> None:
    for token in tokens(markdown.render(hostile.compared(name))):
        assert token.type != "image"
        assert token.type not in ("html_block", "html_inline") or OURS.fullmatch(token.content.strip())


def shape(text: str) -> list[str]:
    return [token.type for token in MARKDOWN.parse(text)]


def test_a_hostile_name_does_not_change_the_shape_of_the_page() -> None:
    plain = shape(markdown.render(hostile.built("plain name")))
    for name in ("a|b|c", "`code` ``more``", "</details>", "<!-- x", "---", "- item"):
        text = markdown.render(hostile.built(name))
        assert [
            kind for kind in shape(text) if kind in ("heading_open", "table_open", "td_open", "hr", "html_block")
        ] == [kind for kind in plain if kind in ("heading_open", "table_open", "td_open", "hr", "html_block")]


def test_every_fold_and_fence_is_closed_and_every_row_is_whole() -> None:
    text = markdown.render(sample_reports.leaky())
    assert text.count("<details>") == text.count("</details>") == 7
    for token in MARKDOWN.parse(text):
        if token.type == "fence":
            assert "</details>" not in token.content
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {3, 4, 5, 7}
    assert sum(token.type == "tr_open" for token in tokens(text)) == sum(not row.startswith("| ---") for row in rows)


def test_what_only_follows_is_folded_below_its_cause_and_names_its_other_causes() -> None:
    text = markdown.render(sample_reports.leaky())
    _, _, below = text.partition("<summary>2 paths only follow from it</summary>")
    fold, _, _ = below.partition("</details>")
    assert "**Files that hold what differs**: 2 paths (also because: Permissions follow the umask of the build)" in fold
    assert "- `1:esp › EFI/Linux/debian-6.19.6.efi › .initrd`" in fold


def test_no_hash_of_a_password_is_shown() -> None:
    assert "$y$j9T" not in markdown.render(sample_reports.leaky())


def many(findings: int, paths: int) -> Report:
    """A report of FINDINGS causes with PATHS each, all of them listed."""
    sample = COMPARED.findings[0]
    found = tuple(
        Finding(
            cause=f"cause-{index}",
            title=f"Cause {index}",
            explanation=sample.explanation,
            fix=f"[Content]\nRemoveFiles=/srv/{index}",
            source="",
            paths=tuple(f"2:root › usr/share/{index}/{number:06}" for number in range(paths)),
            count=paths,
            bytes=1,
        )
        for index in range(findings)
    )
    return replace(COMPARED, findings=found, artifact_url="https://a.example/1")


@pytest.mark.parametrize(("findings", "paths"), [(1, 100_000), (100, 1_000), (1_000, 100)])
def test_a_hundred_thousand_paths_fit_into_a_comment(findings: int, paths: int) -> None:
    text = markdown.render(many(findings, paths), BUDGET)
    assert 10_000 < len(text) <= BUDGET
    assert text.startswith(
        f"### ❌ Different: 8 differences, {findings:,} cause{'s' if findings > 1 else ''} · 1.0 MB and"
    )
    assert "RemoveFiles=/srv/0" in text
    assert text.count("<details>") == text.count("</details>")
    told = sum(len(token.content.split("/")) == 5 for token in tokens(text) if token.type == "code_inline")
    assert told < 100_000
    assert "more path" in text


def test_what_was_cut_is_told_with_where_it_is() -> None:
    text = markdown.render(many(100, 1_000), 20_000)
    last = text.rstrip("\n").rpartition("\n")[2]
    assert re.fullmatch(
        r"\*Cut for length: \d+ causes, the .*list of what was not looked into\. All of it is "
        r"\[in the whole report\]\(https://a\.example/1\)\.\*",
        last,
    )
    without = markdown.render(replace(many(100, 1_000), artifact_url=None), 20_000)
    assert without.endswith("All of it is in `report.json`, which the job left.*\n")


@pytest.mark.parametrize("budget", [0, 1, 100, 500, 1_000, 5_000, 20_000])
def test_no_budget_is_exceeded(budget: int) -> None:
    for report in (many(100, 100), sample_reports.leaky(), hostile.built("`" * 300)):
        assert len(markdown.render(report, budget)) <= budget


def test_the_overview_is_of_many_causes_and_says_how_many_more_there_are() -> None:
    text = markdown.render(many(100, 1))
    assert "| 24 | Cause 23 | `RemoveFiles=/srv/23` | 1 |\n\nand 76 more causes\n" in text


def test_explained_bytes_of_the_sample_are_those_of_its_findings() -> None:
    report = sample_reports.leaky()
    assert report.explained_bytes == explained_bytes(report.findings) == 4_851


def test_what_diffoscope_says_is_folded_away_and_the_first_to_be_left_out() -> None:
    report = sample_reports.leaky()
    assert report.comparison is not None
    text = "\n".join(f"+line {number}" for number in range(500))
    found = [
        replace(one, diffoscope=text) if "index.json" in one.path[-1] else one for one in report.comparison.differences
    ]
    told = replace(report, comparison=replace(report.comparison, differences=tuple(found)))
    whole = markdown.render(told)
    summary = "What diffoscope says of 1 file that no rule explains"
    section = whole[whole.index(summary) :].partition("</details>")[0]
    assert "`2:root › usr/share/app/index.json`" in section
    assert "```diff\n+line 0\n" in section
    assert "+line 499" not in section
    plain = markdown.render(report)
    cut = markdown.render(told, len(plain) + 250)
    assert cut.startswith(plain.rstrip())
    assert "*Cut for length: the words of diffoscope. " in cut
