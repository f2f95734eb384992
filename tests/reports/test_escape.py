import re
import unicodedata
from html.parser import HTMLParser

import hostile
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ci_toolkit.reports import escape

# Nothing here is about time, and machines are slow at times.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

MARKDOWN = MarkdownIt("gfm-like")
# Half of the texts are of what means something to a forge, a browser, a terminal or a CI system.
RISKY = st.lists(
    st.sampled_from(
        [
            *"`|*_~<>[]()!@#:/\\\n\r\t &;$%.,-+='\"1aé\u202e\x1b\udcff\u2800\x85\xa0",
            *("::", "```", "##[", "https://", "www.", ".com", "GH-1", "&amp;", "<b>", "-->", "abc1234", " ", "a.b"),
        ]
    ),
    max_size=24,
).map("".join)
TEXTS = RISKY | st.text(max_size=20)
SECTION = re.compile(r"^\s*::", re.MULTILINE)
COMMAND = re.compile(r"##\w*\[")


def inline(text: str) -> list[Token]:
    """What Markdown makes of a paragraph of TEXT, which must stay one."""
    tokens = MARKDOWN.parse(text)
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    return tokens[1].children or []


class Page(HTMLParser):
    """The tags and the text of some HTML."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.data = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not attrs
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.data += data


def hides(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp") or (
        unicodedata.category(character) == "Zs" and character != " "
    )


def bare(text: str) -> str:
    """TEXT without what marks code and what parts words."""
    return "".join(text.replace("`", "").replace(r"\x20", "").replace("|", r"\x7c").split())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("etc/shadow", "etc/shadow"),
        ("a b", "a b"),
        (" a ", r"\x20a\x20"),
        ("  ", r"\x20\x20"),
        ("", "(empty)"),
        ("a\nb\r\tc", r"a\x0ab\x0d\x09c"),
        ("\x1b[2J", r"\x1b[2J"),
        ("caf\xe9 \u65e5\u672c", "caf\xe9 \u65e5\u672c"),
        ("\u202egnp", r"\u202egnp"),
        ("\udcff", r"\xff"),
        ("\xa0\u3000", r"\xa0\u3000"),
        ("\U000e0101", r"\U000e0101"),
        ("##[error]", r"#\x23[error]"),
        ("###[error]", r"##\x23[error]"),
        ("# a [b]", "# a [b]"),
    ],
)
def test_a_name_shows_what_it_hides(text: str, shown: str) -> None:
    assert escape.name(text) == shown


def test_a_long_name_keeps_both_ends() -> None:
    shown = escape.name("a" * 500 + "z" * 500)
    assert len(shown) == escape.NAME_LIMIT_CHARACTERS
    assert re.fullmatch("a{159}…z{80}", shown)


@RELAXED
@given(TEXTS, st.integers(min_value=8, max_value=300))
@example("#" * 1_000 + "[" * 1_000, 8)
def test_what_is_visible_is_one_line_within_its_limit_and_hides_nothing(text: str, limit: int) -> None:
    shown = escape.visible(text, limit)
    assert len(shown) <= limit
    assert not any(map(hides, shown))
    assert not COMMAND.search(shown)
    assert escape.visible(shown, limit) == shown


@RELAXED
@given(TEXTS)
def test_a_name_is_never_empty_and_never_ends_in_blanks(text: str) -> None:
    shown = escape.name(text)
    assert shown
    assert shown == shown.strip()
    assert escape.name(shown) == shown


@RELAXED
@given(TEXTS, TEXTS)
@example("`", "``")
@example("\\", "|")
def test_code_is_one_span_with_the_name_in_it(first: str, second: str) -> None:
    spans = [token.content for token in inline(f"a {escape.code(first)} b {escape.code(second)}")[1::2]]
    assert spans == [escape.name(text).replace("|", r"\x7c") for text in (first, second)]


@RELAXED
@given(TEXTS, TEXTS)
@example("a\\", "|")
def test_code_stays_in_its_cell_of_a_table(first: str, second: str) -> None:
    tokens = MARKDOWN.parse(f"| a | b |\n| --- | --- |\n| {escape.code(first)} | {escape.code(second)} |\n")
    cells = [token.children or [] for token in tokens if token.type == "inline"][2:]
    assert [[(token.type, token.content) for token in cell] for cell in cells] == [
        [("code_inline", escape.name(text).replace("|", r"\x7c"))] for text in (first, second)
    ]


@RELAXED
@given(TEXTS)
def test_prose_is_words_and_code_and_nothing_else(text: str) -> None:
    prose = escape.prose(text)
    if not prose:
        assert not text.strip()
        return
    tokens = inline(prose)
    assert {token.type for token in tokens} <= {"text", "code_inline"}
    assert not prose.startswith("::")
    assert bare("".join(token.content for token in tokens)) == bare(escape.visible(" ".join(text.split())))


@RELAXED
@given(TEXTS)
def test_words_outside_of_code_mean_nothing_to_a_forge(text: str) -> None:
    words = "".join(token.content for token in inline(f"a {escape.prose(text)}") if token.type == "text")
    assert not re.search(r"[@#$&~*\\^{}<>[\]|]|://|www\.|GH-\d|:(?!\d\d:\d\d)\w+:|[!%]\w|(^|\s)/", words)


@pytest.mark.parametrize("name", hostile.NAMES, ids=lambda name: ascii(name)[:24])
def test_a_hostile_name_is_text_wherever_it_stands(name: str) -> None:
    for text in (f"x {escape.code(name)}", f"x {escape.prose(name)}", f"x {escape.prose(f'see ({name}), now')}"):
        assert {token.type for token in inline(text)} <= {"text", "code_inline"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Permissions follow the umask of the build", "Permissions follow the umask of the build"),
        ("it's 1,024 bytes (96.3 %), or more.", "it's 1,024 bytes (96.3 %), or more."),
        ("set `Seed=` in mkosi.conf.", "set `Seed=` in `mkosi.conf`."),
        ("by @admin, in #12:", "by `@admin`, in `#12`:"),
        ("(see https://a.example/b)", "(see `https://a.example/b`)"),
        ("two\nlines\t here", "two lines here"),
        ("- no list", "`-` no list"),
        ("1. no list", "`1`. no list"),
        ("a `span` `span`b", "a `span` `span`b"),
        ("`a``b`", "`a` `b`"),
        ("a ` b", "a `` ` `` b"),
        ("fixed in 3d962cd2a1", "fixed in `3d962cd2a1`"),
        ("mode 0644 → 0600", "mode 0644 → 0600"),
        ("mtime 2001-09-09 01:46:40 → 2033-05-18 03:33:20.5, later",) * 2,
        ("01:100:40 :12:", "`01:100:40` `:12`:"),
        ("::set-env name=PATH::/evil", "`::set-env` `name=PATH::/evil`"),
        ("snake_case _emphasis_", "snake_case `_emphasis_`"),
    ],
)
def test_prose_marks_as_code_only_what_could_be_read_as_more(text: str, expected: str) -> None:
    assert escape.prose(text) == expected


@RELAXED
@given(TEXTS)
def test_a_fence_holds_all_of_its_lines(text: str) -> None:
    (token,) = MARKDOWN.parse(escape.fenced(text, "ini"))
    assert (token.type, token.info) == ("fence", "ini")
    assert token.content == escape.block(text).replace("```", r"\x60\x60\x60") + "\n"
    assert "```" not in token.content


@RELAXED
@given(TEXTS)
def test_no_line_of_a_block_is_a_command(text: str) -> None:
    block = escape.block(text)
    assert not SECTION.search(block)
    assert not COMMAND.search(block)
    assert not any(map(hides, block.replace("\n", "")))
    assert block.count("\n") == text.count("\n")


def test_a_long_block_is_cut() -> None:
    lines = escape.block("\n".join(map(str, range(1_000)))).split("\n")
    assert lines == [*map(str, range(escape.FENCE_LIMIT_LINES)), "…"]


@RELAXED
@given(TEXTS)
def test_names_in_html_are_text(text: str) -> None:
    page = Page(escape.html(text))
    assert (page.tags, page.data) == ([], escape.name(text))
    assert not set(escape.html(text)) & set("<>\"'")


@RELAXED
@given(TEXTS)
def test_prose_in_html_is_words_and_code(text: str) -> None:
    page = Page(escape.html_prose(text))
    assert set(page.tags) <= {"code"}
    assert bare(page.data) == bare(escape.visible(" ".join(text.split())))


@RELAXED
@given(TEXTS)
def test_plain_prose_is_one_line_without_backticks(text: str) -> None:
    shown = escape.plain_prose(text)
    assert "`" not in shown
    assert not any(map(hides, shown))
    assert not COMMAND.search(shown)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://github.com/a/b/actions/runs/1", "https://github.com/a/b/actions/runs/1"),
        ("http://localhost:3000/a/", "http://localhost:3000/a"),
        ("https://a.example/" + "x" * 1_000, None),
        ("ftp://a.example", None),
        ("javascript:alert(1)", None),
        ("https://user:word@a.example", None),
        ("https://a.example/?q", None),
        ("https://a.example/#f", None),
        ("https://a.example/a b", None),
        ("https://a.example/)", None),
        ('https://a.example/"', None),
        ("https://a.example/<b>", None),
        ("https://a.example/\n", None),
        ("https://[", None),
        ("", None),
        (None, None),
    ],
)
def test_an_address_is_a_plain_link_or_none(text: str | None, expected: str | None) -> None:
    assert escape.address(text) == expected


@RELAXED
@given(TEXTS)
def test_an_address_is_one_link_in_markdown_and_one_attribute_in_html(text: str) -> None:
    address = escape.address(f"https://a.example/{text}")
    if address is not None:
        tokens = inline(f"[x]({address})")
        assert [token.type for token in tokens] == ["link_open", "text", "link_close"]
        assert not set(address) & set("<>\"'")
