"""Generated texts: stamps, values of the surroundings, the order of lines."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from bench import cause, changed, differs, finding, run, shows, together

from ci_toolkit.compare.difference import Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.host.environment import NORMAL, VARIED

FIRST, SECOND = 1_764_000_000, 1_764_000_095
CLOCKS = Facts(first_clock=FIRST - 60, second_clock=SECOND - 60)
SURROUNDINGS = replace(CLOCKS, first=NORMAL, second=VARIED)


def date(seconds: int, form: str, zone: str = "UTC") -> bytes:
    return run("date", f"--date=@{seconds}", form, environment={"TZ": zone})


EXACT = [
    "+%c",
    "+%s",
    "+%s%3N",
    "+%s%N",
    "+%s.%N",
    "+%FT%TZ",
    "+%F %T",
    "+%F %H:%M:%S.%N %z",
    "+%a %b %e %H:%M:%S %Z %Y",
    "+%a, %d %b %Y %H:%M:%S %z",
    "+%d %B %Y %H:%M:%S",
    "+%Y%m%d%H%M%S",
    "+%Y%m%dT%H%M%SZ",
    "+%Y/%m/%d %H:%M:%S",
    "+%T",
    "+Compiled at %T by gcc",
]
DAYS = ["+%F", "+%Y%m%d", "+%d %B %Y", "+%b %d, %Y", "+%Y/%m/%d"]


@pytest.mark.parametrize("form", EXACT)
@shows("build-timestamp", by="date")
def test_what_date_writes_is_the_time_of_the_build(form: str) -> None:
    before, after = (b"# generated\nstamp=" + date(seconds, form) for seconds in (FIRST, SECOND))
    difference = changed("etc/build-stamp", before, after)
    assert cause(difference, CLOCKS) == "build-timestamp"
    assert cause(difference) == "build-timestamp"


@pytest.mark.parametrize("form", DAYS)
def test_a_day_is_the_builds_where_the_clocks_say_so(form: str) -> None:
    day = 86_400
    clocks = Facts(first_clock=FIRST, second_clock=SECOND + day)
    difference = changed("etc/build-stamp", date(FIRST, form), date(SECOND + day, form))
    assert cause(difference, clocks) == "build-timestamp"
    assert cause(difference) == "unknown"
    another_year = Facts(first_clock=FIRST - 365 * day, second_clock=SECOND - 364 * day)
    assert cause(difference, another_year) == "unknown"


def test_local_time_of_another_zone_is_still_the_builds() -> None:
    before = date(FIRST, "+%F %T %z", "UTC")
    after = date(SECOND, "+%F %T %z", "Pacific/Chatham")
    assert cause(changed("etc/build-stamp", before, after), CLOCKS) == "build-timestamp"


def test_the_fix_removes_the_file_or_takes_the_epoch() -> None:
    difference = changed("etc/build-stamp", date(FIRST, "+%c"), date(SECOND, "+%c"))
    told = finding(difference, CLOCKS)
    assert "[Content]\nRemoveFiles=/etc/build-stamp\nSourceDateEpoch=" in told.fix
    assert 'date --utc --date="@$SOURCE_DATE_EPOCH"' in told.fix
    assert "SourceDateEpoch=" not in finding(difference, replace(CLOCKS, epoch=1)).fix


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("VERSION=1.2.3", "VERSION=1.2.4"),
        ("VERSION=20240101", "VERSION=20250301"),
        ("VERSION=2024.01.01", "VERSION=2024.02.01"),
        ("soname=1234567890", "soname=1234567891"),
        ("address=10.20.30.40", "address=10.20.30.41"),
        ("ether=02:10:01:aa:bb:cc", "ether=02:10:02:aa:bb:cc"),
        ("built 2026-01-02 03:04:05 as 1", "built 2026-01-02 03:04:06 as 2"),
        ("built 2026-13-02 03:04:05", "built 2026-14-02 03:04:05"),
        ("built 2026-01-02 03:04:05", "built yesterday"),
        ("2019-01-02 03:04:05", "2026-01-02 03:04:05"),
        ("hash=1764000000abc", "hash=1764000001abd"),
    ],
)
def test_what_only_looks_like_a_stamp_is_unknown(before: str, after: str) -> None:
    assert cause(changed("etc/thing", before.encode(), after.encode())) == "unknown"


def test_an_epoch_number_outside_of_the_builds_is_unknown() -> None:
    difference = changed("etc/thing", b"id=1764000000\n", b"id=1799999999\n")
    assert cause(difference, CLOCKS) == "unknown"


def test_a_stamp_in_a_binary_is_not_looked_for() -> None:
    assert cause(changed("usr/bin/thing", b"\0" + date(FIRST, "+%c"), b"\0" + date(SECOND, "+%c")), CLOCKS) == "unknown"


def named(field: str, before: bytes, after: bytes) -> str:
    """Check that a text with a value of the surroundings is put down to it, and return the cause."""
    told = finding(changed("etc/made", b"made in " + before, b"made in " + after), SURROUNDINGS)
    assert getattr(VARIED, field) in told.explanation
    assert "[Content]\nRemoveFiles=/etc/made" in told.fix
    assert "Or " not in told.fix
    return told.cause


@shows("hostname", by="echo")
def test_the_name_of_the_host_is_named() -> None:
    assert named("hostname", *(run("echo", side.hostname) for side in (NORMAL, VARIED))) == "hostname"


@shows("build-path", by="sh")
def test_the_path_of_the_source_tree_is_named(tmp_path: Path) -> None:
    texts = []
    for side in (NORMAL, VARIED):
        place = tmp_path / side.build_path.strip("/")
        place.mkdir(parents=True)
        texts.append(run("sh", "-c", "pwd", cwd=place).replace(os.fsencode(tmp_path), b""))
    assert named("build_path", *texts) == "build-path"


@shows("home", by="sh")
def test_the_builders_home_is_named() -> None:
    texts = [run("sh", "-c", "echo ~/.config", environment={"HOME": side.home}) for side in (NORMAL, VARIED)]
    assert named("home", *texts) == "home"


@shows("locale", by="env")
def test_the_builders_locale_is_named() -> None:
    texts = [run("env", "-u", "PATH", environment={"LC_ALL": side.locale}) for side in (NORMAL, VARIED)]
    lines = [next(line for line in text.splitlines() if line.startswith(b"LC_ALL=")) for text in texts]
    assert named("locale", *lines) == "locale"


@shows("zone", by="sh")
def test_the_builders_time_zone_is_named() -> None:
    texts = [run("sh", "-c", 'echo "zone=$TZ"', environment={"TZ": side.zone}) for side in (NORMAL, VARIED)]
    assert named("zone", *texts) == "zone"


def test_a_host_name_beside_a_date_is_named_as_the_host_name() -> None:
    before = f"{NORMAL.hostname} at ".encode() + date(FIRST, "+%c")
    after = f"{VARIED.hostname} at ".encode() + date(SECOND, "+%c")
    assert cause(changed("etc/made", before, after), SURROUNDINGS) == "hostname"


def test_a_host_name_beside_another_change_is_unknown() -> None:
    before, after = f"{NORMAL.hostname} 1\n".encode(), f"{VARIED.hostname} 2\n".encode()
    assert cause(changed("etc/made", before, after), SURROUNDINGS) == "unknown"


def test_a_value_that_did_not_vary_explains_nothing() -> None:
    same = Facts(first=NORMAL, second=NORMAL)
    before, after = f"{NORMAL.hostname}\n".encode(), f"{VARIED.hostname}\n".encode()
    assert cause(changed("etc/made", before, after), same) == "unknown"


@shows("hostname-file", by="hostname")
def test_the_file_of_the_host_name_needs_no_facts() -> None:
    name = run("hostname")
    told = finding(changed("etc/hostname", name, b"another-" + name))
    assert told.cause == "hostname-file"
    assert "[Content]\nHostname=" in told.fix


def test_a_mail_servers_name_is_the_hosts() -> None:
    name = run("hostname").strip()
    line = b"dc_eximconfig_configtype='local'\ndc_other_hostnames='%s'\n"
    before, after = line % name, line % b"another"
    assert cause(changed("etc/exim4/update-exim4.conf.conf", before, after)) == "hostname-file"
    assert cause(changed("etc/exim4/update-exim4.conf.conf", before, after.replace(b"local", b"internet"))) == "unknown"


@shows("line-order", by="sort")
def test_lines_that_sort_orders_by_locale_are_in_another_order() -> None:
    lines = b"b\nA\na\nB\n"
    before = run("sort", stdin=lines, environment={"LC_ALL": "C"})
    after = run("sort", "--ignore-case", stdin=lines)
    told = finding(changed("etc/list", before, after))
    assert told.cause == "line-order"
    assert "sort" in told.fix
    assert cause(changed("etc/list", before, after + b"c\n")) == "unknown"
    assert cause(changed("etc/list", before, after.replace(b"b", b"c"))) == "unknown"


def test_the_advised_command_sorts_the_file_in_the_image(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/list").write_text("b\na\n")
    told = finding(changed("etc/list", b"b\na\n", b"a\nb\n"))
    line = next(line for line in told.fix.splitlines() if "sort -o" in line)
    run("sh", "-c", line, environment={"BUILDROOT": os.fspath(tmp_path)})
    assert (tmp_path / "etc/list").read_text() == "a\nb\n"


def test_what_is_no_plain_list_is_not_to_be_sorted() -> None:
    before, after = b"[one]\nkey=1\n\n[two]\n", b"[two]\n\n[one]\nkey=1\n"
    told = finding(changed("etc/thing.conf", before, after))
    assert told.cause == "line-order"
    assert "sort -o" not in told.fix


def test_a_name_from_an_image_cannot_add_a_command() -> None:
    told = finding(changed('etc/$(reboot)"', b"b\na\n", b"a\nb\n"))
    assert "reboot" not in told.fix


@shows("identifier-reference", by="uuidgen")
def test_a_uuid_of_a_partition_in_a_text_follows_from_the_partition() -> None:
    uuids = [run("uuidgen").decode().strip() for _ in range(2)]
    header = differs(("2:root",), Field.HEADER, *uuids, name="uuid")
    lines = [f"root=UUID={uuid.upper()} rw\n".encode() for uuid in uuids]
    text = changed(("1:esp", "EFI/Linux/linux.efi", ".cmdline"), *lines, container="pe")
    told = together(text, header)
    assert told["identifier-reference"].consequence_of == ("filesystem-uuid",)
    assert cause(text) == "random-uuid"


@pytest.mark.parametrize("key", ["IMAGE_VERSION", "BUILD_ID"])
def test_the_version_of_the_image_is_an_input(key: str) -> None:
    text = f"ID=debian\n{key}={{}}\n"
    told = finding(changed("usr/lib/os-release", text.format(1).encode(), text.format(2).encode()))
    assert told.cause == "os-release-version"
    assert "[Output]\nImageVersion=" in told.fix


def test_the_version_of_the_distribution_is_unknown() -> None:
    assert cause(changed("usr/lib/os-release", b"VERSION_ID=12\n", b"VERSION_ID=13\n")) == "unknown"
    assert cause(changed("etc/other", b"IMAGE_VERSION=1\n", b"IMAGE_VERSION=2\n")) == "unknown"


def test_a_link_to_the_source_tree_is_named_as_its_path() -> None:
    targets = (f"{side.build_path}/thing" for side in (NORMAL, VARIED))
    assert cause(differs("etc/thing", Field.TARGET, *targets), SURROUNDINGS) == "build-path"
    assert cause(differs("etc/thing", Field.TARGET, "one", "two"), SURROUNDINGS) == "unknown"
