import pytest
from bench import changed, content, differs, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_toolkit.compare.difference import Difference, Field, Value, display
from ci_toolkit.compare.explain import explain
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Finding
from ci_toolkit.reports.describe import Detail, Details, describe, shown_paths

# Nothing here is about time, and machines are slow at times.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("field", "before", "after", "expected"),
    [
        (Field.MODE, 0o644, 0o4755, "mode 0644 → 4755"),
        (Field.UID, 0, 1000, "uid 0 → 1000"),
        (Field.TARGET, "../lib", "", "target ../lib → "),
        (Field.KIND, "file", "directory", "kind file → directory"),
        (Field.DEVICE, (8, 1), (8, 2), "device 8:1 → 8:2"),
        (
            Field.MTIME,
            (0, -1, 0),
            (10**9, 0),
            "mtime 1970-01-01 00:00:00, 1969-12-31 23:59:59.999999999 → 1970-01-01 00:00:01, 1970-01-01 00:00:00",
        ),
        (Field.PRESENCE, None, "file", "only in the second"),
        (Field.PRESENCE, "file", None, "only in the first"),
        (Field.ORDER, ("a", "b"), ("b", "a"), "other order"),
        (Field.LAYOUT, 0, 12, "lies elsewhere"),
        (Field.MTIME, 0, -1 * SECOND, "mtime 1970-01-01 00:00:00 → 1969-12-31 23:59:59"),
        (Field.MTIME, 1, 1_500_000_000, "mtime 1970-01-01 00:00:00.000000001 → 1970-01-01 00:00:01.5"),
        (Field.MTIME, None, 2**62 * 1_000, "mtime none → 4611686018427 s"),
        (Field.MTIME, "a" * 100, "b", f"mtime {'a' * 71}… → b"),
    ],
)
def test_a_difference_is_told_in_a_few_words(field: Field, before: Value, after: Value, expected: str) -> None:
    assert describe(differs("a", field, before, after)) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, b"\x01\xff", "security.ima none → 01ff"),
        (b"", b"a", "security.ima empty → 61"),
        (True, False, "security.ima yes → no"),
        (("a", "b"), 7, "security.ima a b → 7"),
        (content(b"one"), content(b"t"), "security.ima 3 bytes → 1 byte"),
    ],
)
def test_an_attribute_is_told_with_its_name(before: Value, after: Value, expected: str) -> None:
    assert describe(differs("a", Field.XATTR, before, after, name="security.ima")) == expected


def test_a_fact_without_a_name_is_told_with_its_field() -> None:
    assert describe(differs("a", Field.HEADER, "x", "y")) == "header x → y"


@pytest.mark.parametrize("seconds", [0, 1_782_864_000, 951_782_400, 253_402_300_799, -86_400])
def test_a_time_is_the_one_that_date_tells(seconds: int) -> None:
    told = run("date", "--utc", f"--date=@{seconds}", "+%Y-%m-%d %H:%M:%S").decode().strip()
    assert describe(differs("a", Field.MTIME, None, seconds * SECOND)) == f"mtime none → {told}"


def test_a_content_is_told_as_cmp_tells_it() -> None:
    before, after = b"a" * 1_234 + b"b", b"a" * 1_234 + b"cc"
    assert describe(changed("a", before, after)) == "1,235 → 1,236 bytes, first differs at offset 1,234"
    assert describe(changed("a", before, before[:-1] + b"c")) == "1,235 bytes, first differs at offset 1,234"
    assert describe(changed("a", before, after), exactly=False) == ""


def test_a_region_is_told_with_its_name() -> None:
    found = changed("2:root", b"one", b"two", field=Field.REGION, name="bitmap")
    assert describe(found) == "bitmap 3 bytes, first differs at offset 0"


FIELDS = st.sampled_from(Field)
VALUES: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.text(max_size=100),
    st.binary(max_size=100),
    st.lists(st.text(max_size=50), max_size=3).map(tuple),
    st.just(content(b"text")),
)


@RELAXED
@given(FIELDS, VALUES, VALUES, st.booleans())
def test_whatever_a_stored_report_holds_is_told_shortly(
    field: Field, before: Value, after: Value, exactly: bool
) -> None:
    difference = Difference(path=("a",), field=field, container="ext4", before=before, after=after)
    assert len(describe(difference, exactly=exactly)) < 200


def findings(*differences: Difference) -> dict[str, Finding]:
    return {finding.cause: finding for finding in explain(differences, Facts())}


def test_a_path_is_told_what_its_own_finding_is_about() -> None:
    differences = (
        differs("etc/thing", Field.MODE, 0o644, 0o600),
        differs("etc/thing", Field.UID, 0, 42),
        changed("etc/thing", b"one\n", b"two\n"),
    )
    found = findings(*differences)
    details = Details(differences, found.values())
    assert details.of(found["umask"], "etc/thing") == Detail(phrase="mode 0644 → 0600")
    assert details.of(found["ownership"], "etc/thing") == Detail(phrase="uid 0 → 42")
    assert details.of(found["unknown"], "etc/thing") == Detail(
        phrase="4 bytes, first differs at offset 0", sample=("one", "two")
    )


def test_of_many_differences_at_one_path_the_first_three_are_told() -> None:
    differences = tuple(differs("1", Field.XATTR, b"", b"a", name=f"user.{letter}") for letter in "abcde")
    found = findings(*differences)
    (cause,) = found
    told = Details(differences, found.values()).of(found[cause], "1").phrase
    assert told == "user.a empty → 61, user.b empty → 61, user.c empty → 61, 2 more"


def test_a_path_without_a_difference_is_told_nothing() -> None:
    difference = differs(("a", "b"), Field.MODE, 0o644, 0o600)
    (finding,) = explain((difference,), Facts())
    assert display(difference.path) == finding.paths[0]
    assert Details((), (finding,)).of(finding, "a › b") == Detail()


def test_paths_that_are_left_out_are_counted() -> None:
    (finding,) = explain([differs(f"{index}", Field.MODE, 0o644, 0o600) for index in range(5)], Facts())
    assert shown_paths(finding, 2) == (("0", "1"), 3)
    assert shown_paths(finding, 5) == (("0", "1", "2", "3", "4"), 0)
