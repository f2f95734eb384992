import random
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import hostile
import pytest
import sample_reports
import situations

from bootstrap import test_runs
from ci_toolkit.compare.comparison import Verdict
from ci_toolkit.mkosi.build import Artefact
from ci_toolkit.reports import junit
from ci_toolkit.reports.report import Converted, Failure, Report


def cases(report: Report) -> dict[str, ET.Element]:
    root = ET.fromstring(junit.render(report))
    assert root.tag == "testsuites"
    assert [child.tag for child in root] == ["testsuite"]
    return {case.attrib["name"]: case for case in root[0]}


def failed(report: Report) -> list[str]:
    return [name for name, case in cases(report).items() if case.find("failure") is not None]


def test_each_file_and_each_partition_is_a_test_and_fails_where_it_differs() -> None:
    report = sample_reports.leaky()
    assert list(cases(report)) == [
        "image.manifest",
        "image.raw",
        "image.raw › 1:esp (vfat)",
        "image.raw › 2:root (ext4)",
    ]
    assert failed(report) == list(cases(report))[1:]


def test_a_failure_tells_both_digests_and_what_mends_it() -> None:
    report = sample_reports.leaky()
    failure = cases(report)["image.raw"].find("failure")
    assert failure is not None
    first, second = (build.main.sha256 for build in report.builds)
    assert failure.attrib["message"] == f"{first} and {second}"
    assert "RemoveFiles=/etc/machine-id" in (failure.text or "")


def test_a_partition_names_the_places_that_differ() -> None:
    failure = cases(sample_reports.leaky())["image.raw › 2:root (ext4)"].find("failure")
    assert failure is not None
    assert "2:root › etc/machine-id" in (failure.text or "").splitlines()


def test_nothing_fails_where_the_bits_are_the_same() -> None:
    assert failed(sample_reports.identical()) == []
    assert len(cases(sample_reports.identical())) == 2


def test_a_file_that_one_build_left_alone_fails() -> None:
    report = sample_reports.identical()
    first, second = report.builds
    more = Artefact(name="image.efi", size=1, sha256="0" * 64)
    changed = replace(report, builds=(replace(first, artefacts=(*first.artefacts, more)), second))
    failure = cases(changed)["image.efi"].find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "only the first build left it"


def test_two_given_images_are_one_test() -> None:
    report = replace(sample_reports.identical(), builds=(), title="a and b")
    assert (list(cases(report)), failed(report)) == (["a and b"], [])
    assert failed(replace(report, verdict=Verdict.DIFFERENT)) == ["a and b"]


def test_an_image_that_could_not_be_built_is_a_test_that_fails() -> None:
    failure = Failure(exit_code=4, message="mkosi failed with exit code 1\n\x1b[31mlast words", hint="Look there.")
    report = replace(
        sample_reports.identical(), title="images", variant="arm64", verdict=Verdict.FAILED, failure=failure, builds=()
    )
    assert failed(report) == ["images (arm64)"]
    found = cases(report)["images (arm64)"].find("failure")
    assert found is not None
    assert found.attrib["message"] == "mkosi failed with exit code 1"
    assert (found.text or "").splitlines()[1:] == ["\ufffd[31mlast words", "Look there."]


@pytest.mark.parametrize("make", [sample_reports.leaky, sample_reports.identical])
def test_the_counts_are_those_that_a_reader_of_such_files_adds_up(make: Callable[[], Report], tmp_path: Path) -> None:
    file = tmp_path / "report.junit.xml"
    file.write_text(junit.render(make()), encoding="utf-8")
    tally = test_runs.read(file)
    assert tally.failed == len(failed(make()))
    assert tally.passed + tally.failed == len(cases(make()))
    assert tally.seconds == pytest.approx(194.1)


def test_a_format_a_start_and_a_check_are_tests_which_fail_where_they_did(tmp_path: Path) -> None:
    report = situations.not_started()
    root = ET.fromstring(junit.render(replace(report, formats=(Converted(format="qcow2", reason="it is no disk"),))))
    told = {
        (suite.attrib["name"], case.attrib["name"]): None if (found := case.find("failure")) is None else found
        for suite in root
        for case in suite
    }
    failures = {name: found.attrib["message"] for name, found in told.items() if found is not None}
    assert failures == {
        ("examples/debian", "converted to qcow2"): "it is no disk",
        ("examples/debian, BIOS", "it comes up"): report.boots[0].reason,
        ("examples/debian, UEFI", "web.sh"): "exit code 7",
    }
    assert set(told) > {("examples/debian, UEFI", "it comes up"), ("examples/debian, UEFI", "login.sh")}
    file = tmp_path / "report.junit.xml"
    file.write_text(junit.render(report), encoding="utf-8")
    assert test_runs.read(file).failed == 2
    assert root.attrib["failures"] == "3"


def test_what_a_guest_says_is_well_formed_xml() -> None:
    odd = "".join(map(chr, (*range(0x20), 0x7F, 0x9B, 0xD800, 0xFFFE, 0xFFFF))) + "<&]]>\"'"
    root = ET.fromstring(junit.render(hostile.built(odd)).encode("utf-8", "backslashreplace"))
    assert len(root) == 3


def test_a_name_of_any_bytes_is_well_formed_xml() -> None:
    seeded = random.Random(7)
    odd = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0), 0xD800, 0xDCFF, 0xFFFE, 0xFFFF, 0x10FFFF)))
    characters = [*odd, *"<>&'\"]]>"]
    report = sample_reports.identical()
    for _ in range(50):
        name = "".join(seeded.choices(characters, k=40))
        builds = tuple(
            replace(build, artefacts=(Artefact(name=name, size=1, sha256="0" * 64),)) for build in report.builds
        )
        text = junit.render(replace(report, title=name, builds=builds))
        root = ET.fromstring(text.encode("utf-8"))  # expat refuses what XML forbids
        assert len(root[0]) == 1


def test_ten_thousand_files_and_a_name_without_an_end_stay_short() -> None:
    report = sample_reports.identical()
    artefacts = tuple(Artefact(name=f"{number}{'x' * 9000}", size=1, sha256="0" * 64) for number in range(10_000))
    text = junit.render(replace(report, builds=tuple(replace(build, artefacts=artefacts) for build in report.builds)))
    assert len(ET.fromstring(text)[0]) == 1000
    assert len(text) < 5_000_000
