"""Databases made by sqlite3, against what it says of them itself."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from bench import run
from specimens import budget, content, cuts, entries, facts, flips, loaded, make_sense, opened, survives
from truths import cmp

from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.data import Memory
from ci_toolkit.images.databases import sqlite
from ci_toolkit.images.entry import Container
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits

FORMS = {
    "small pages": "PRAGMA page_size=512;",
    "large pages": "PRAGMA page_size=65536;",
    "shrinkable": "PRAGMA page_size=1024; PRAGMA auto_vacuum=FULL;",
    "utf-16": "PRAGMA encoding='UTF-16be';",
    "utf-16, little": "PRAGMA encoding='UTF-16le'; PRAGMA page_size=512;",
}
SCRIPT = """
CREATE TABLE plain (a, b TEXT, c REAL, d BLOB);
INSERT INTO plain VALUES (NULL, 'text', 1.5, x'00ff'), (-1, '', -0.25, x''), (0, 'größe ☃', 1e300, NULL);
INSERT INTO plain VALUES (1, 'it''s', 2.5, 1), (127, 'a', 128, 32767), (32768, 'b', -8388608, 2147483648);
INSERT INTO plain VALUES (140737488355327, 'c', 0.1, -140737488355329);
INSERT INTO plain VALUES (9223372036854775807, 'd', 0.5, -9223372036854775808);
CREATE TABLE numbers (n INTEGER);
WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < 1500) INSERT INTO numbers SELECT n FROM c;
CREATE TABLE many (n INTEGER, t TEXT);
INSERT INTO many SELECT n, 'row ' || n FROM numbers;
CREATE INDEX of_many ON many (t);
CREATE TABLE long (t TEXT, b BLOB);
INSERT INTO long VALUES (hex(zeroblob(40000)), zeroblob(3000)), (hex(zeroblob(230)), zeroblob(61));
INSERT INTO long VALUES ('x', zeroblob(100000));
CREATE INDEX of_long ON long (t);
CREATE TABLE keyed (k TEXT PRIMARY KEY, v, w) WITHOUT ROWID;
INSERT INTO keyed SELECT 'key ' || (n * 7919 % 500), n, NULL FROM numbers WHERE n <= 500;
CREATE TABLE gone (t TEXT);
INSERT INTO gone SELECT hex(zeroblob(50)) FROM numbers;
DROP TABLE gone;
DELETE FROM many WHERE n % 3 = 0;
INSERT INTO plain (rowid, a) VALUES (-5, 'first');
CREATE VIEW seen AS SELECT a FROM plain;
CREATE TRIGGER fires AFTER INSERT ON many BEGIN DELETE FROM plain; END;
PRAGMA user_version=7;
PRAGMA application_id=1234;
"""
TABLES = ("plain", "many", "long", "keyed")


@pytest.fixture(scope="module", params=FORMS)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("sqlite") / "a.db", FORMS[request.param] + SCRIPT)


@pytest.fixture(scope="module")
def found(image: Path) -> Container:
    assert sqlite.recognise(opened(image))
    container = sqlite.read(opened(image), budget())
    make_sense(container)
    assert container.skipped == ()
    return container


def made(path: Path, script: str) -> Path:
    run("sqlite3", path, stdin=script.encode())
    return path


def lines(container: Container, path: str) -> list[str]:
    return content(entries(container)[path]).decode().splitlines()


@pytest.mark.parametrize("table", TABLES)
def test_rows_are_those_that_sqlite3_selects(image: Path, found: Container, table: str) -> None:
    columns = {"plain": "abcd", "many": "nt", "long": "tb", "keyed": "kvw"}[table]
    quoted = " || ', ' || ".join(f"quote({column})" for column in columns)
    number = "" if table == "keyed" else "rowid || ': ' || "
    order = "k" if table == "keyed" else "rowid"
    expected = run("sqlite3", image, f"SELECT {number}'(' || {quoted} || ')' FROM {table} ORDER BY {order}")
    numbers = [(line.replace("1.0e+300", "1e+300")).replace("128.0", "128") for line in expected.decode().splitlines()]
    numbers = [line.replace("-8388608.0", "-8388608") for line in numbers]
    assert lines(found, f"table {table}") == numbers


def test_the_schema_is_what_sqlite3_has(image: Path, found: Container) -> None:
    printed = run("sqlite3", image, "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")
    assert content(entries(found)["schema"]).decode() == printed.decode()


def test_the_header_is_what_sqlite3_says(image: Path, found: Container) -> None:
    known = facts(found)
    for pragma, name in (
        ("page_size", "page_size"),
        ("page_count", "page_count"),
        ("freelist_count", "free_page_count"),
        ("schema_version", "schema_cookie"),
        ("user_version", "user_version"),
        ("application_id", "application_id"),
    ):
        value = known[name]
        assert int(run("sqlite3", image, f"PRAGMA {pragma}")) == (
            65536 if pragma == "page_size" and value == 1 else value
        )
    assert run("sqlite3", "--version").decode().startswith(str(known["sqlite_version"]) + " ")
    encoding = run("sqlite3", image, "PRAGMA encoding").decode().strip()
    assert str(known["encoding"]).startswith(encoding.removesuffix("le").removesuffix("be"))


def test_pages_belong_to_what_sqlite3_says_they_do(image: Path, found: Container) -> None:
    size = int(run("sqlite3", image, "PRAGMA page_size"))
    regions = {region.name: region.data.size for region in found.regions}
    assert sum(regions.values()) == image.stat().st_size
    free = int(run("sqlite3", image, "PRAGMA freelist_count"))
    assert regions.get("free pages", 0) == free * size
    assert "pages without use" not in regions
    try:
        counted = run("sqlite3", image, "SELECT count(*) FROM dbstat WHERE name IN ('of_many', 'of_long')")
    except AssertionError:
        pytest.skip("this sqlite3 counts no pages")
    assert regions["pages of indexes"] == int(counted) * size


def test_two_databases_differ_in_the_table_that_does(tmp_path: Path) -> None:
    one, other = (made(tmp_path / name, SCRIPT) for name in ("a.db", "b.db"))
    run("sqlite3", other, "UPDATE keyed SET v = 'other' WHERE k = 'key 77'")
    compared = compare(one, other)
    assert compared.skipped == ()
    assert {d.path for d in compared.differences if d.field is Field.CONTENT and not d.opened} == {("table keyed",)}
    assert {"change_counter"} <= {d.name for d in compared.differences if d.field is Field.HEADER}
    assert (compared.differing_bytes, compared.first_offset) == cmp(one, other)
    assert sum(d.bytes for d in compared.differences) == compared.differing_bytes
    assert {d.name for d in compared.differences if d.field is Field.REGION} <= {"pages of tables", "database header"}


def test_rows_of_later_columns_and_names_that_need_quotes_are_read(tmp_path: Path) -> None:
    script = """CREATE TABLE "a b" (x); INSERT INTO "a b" VALUES ('line' || char(10) || 'two');
    ALTER TABLE "a b" ADD COLUMN y DEFAULT 5;"""
    found = sqlite.read(opened(made(tmp_path / "a.db", script)), budget())
    assert lines(found, "table a b") == ["1: ('line\\ntwo')"]


def test_nothing_in_it_is_executed(tmp_path: Path) -> None:
    """Views, triggers and virtual tables are in the schema, and nowhere else."""
    script = "CREATE TABLE t (a, b GENERATED ALWAYS AS (hex(zeroblob(9)))); INSERT INTO t VALUES (1);"
    script += "CREATE VIEW v AS WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n FROM c) SELECT n FROM c;"
    image = made(tmp_path / "a.db", script)
    found = sqlite.read(opened(image), budget())
    assert [entry.path for entry in found.entries] == ["schema", "table t"]
    assert lines(found, "table t") == ["1: (1)"]


def test_an_empty_database_has_an_empty_schema(tmp_path: Path) -> None:
    image = made(tmp_path / "a.db", "CREATE TABLE t (a); DROP TABLE t; VACUUM;")
    found = sqlite.read(opened(image), budget())
    assert [(entry.path, content(entry)) for entry in found.entries] == [("schema", b"")]


def test_a_cut_database_is_refused_with_the_reason(image: Path) -> None:
    for cut in cuts(image.read_bytes(), 20):
        if sqlite.recognise(loaded(cut)):
            with pytest.raises(UnreadableError, match=r"cut|pages of"):
                sqlite.read(loaded(cut), budget())


def test_damage_is_read_or_refused(tmp_path: Path) -> None:
    script = SCRIPT.replace("n < 1500", "n < 100").replace("100000", "3000").replace("40000", "400")
    whole = made(tmp_path / "a.db", "PRAGMA page_size=512;" + script).read_bytes()
    chance = sum(survives(sqlite.read, sqlite.recognise, one) for one in flips(whole, 100, within=((16, 496),)))
    chance += sum(survives(sqlite.read, sqlite.recognise, one) for one in flips(whole, 150))
    assert 0 < chance < 250


def test_pages_that_lead_round_in_a_circle_are_refused(tmp_path: Path) -> None:
    image = made(tmp_path / "a.db", "PRAGMA page_size=512;" + SCRIPT)
    with closing(sqlite3.connect(image)) as database:
        (root,) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'many'").fetchone()
    whole = bytearray(image.read_bytes())
    start = (root - 1) * 512
    assert whole[start] == 5
    whole[start + 8 : start + 12] = root.to_bytes(4, "big")
    found = sqlite.read(loaded(bytes(whole)), budget())
    assert found.skipped == (("table many", f"page {root} is used twice"),)
    assert "table keyed" in entries(found)


def test_more_rows_and_bytes_than_allowed_are_refused(image: Path) -> None:
    with pytest.raises(BeyondLimitError, match="parts in all"):
        sqlite.read(opened(image), Budget(Limits(streams=100)))
    with pytest.raises(BeyondLimitError, match="bytes in all"):
        sqlite.read(opened(image), Budget(Limits(decompressed=10_000)))


def test_regions_lie_in_the_file_and_rows_beside_it(image: Path, found: Container) -> None:
    assert all(isinstance(region.data.root, Memory) for region in found.regions)
    assert not any(isinstance(entry.data.root, Memory) for entry in found.entries if entry.data is not None)
