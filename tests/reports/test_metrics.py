from dataclasses import replace

import pytest
import sample_reports
import situations

from ci_toolkit.mkosi.build import Artefact
from ci_toolkit.reports import metrics
from ci_toolkit.reports.report import Report

parser = pytest.importorskip("prometheus_client.openmetrics.parser", reason="prometheus-client is not installed")


def read(report: Report) -> dict[str, list[tuple[dict[str, str], float]]]:
    """What the parser of Prometheus reads; it raises ValueError for what is no OpenMetrics."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in parser.text_string_to_metric_families(metrics.render(report)):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_sizes_seconds_and_differences_are_numbers_of_their_own() -> None:
    report = sample_reports.leaky()
    found = read(report)
    assert found["ci_toolkit_artifact_size_bytes"] == [
        ({"file": artefact.name}, float(artefact.size)) for artefact in report.builds[0].artefacts
    ]
    assert found["ci_toolkit_build_seconds"] == [({"build": "1"}, 92.4), ({"build": "2"}, 101.7)]
    assert report.comparison is not None
    assert {name: found[f"ci_toolkit_{name}"][0][1] for name in ("reproducible", "differences", "differing_bytes")} == {
        "reproducible": 0,
        "differences": len(report.comparison.differences),
        "differing_bytes": report.comparison.differing_bytes,
    }


def test_the_same_bits_are_reproducible_without_a_difference() -> None:
    found = read(sample_reports.identical())
    assert found["ci_toolkit_reproducible"][0][1] == 1
    assert found["ci_toolkit_differences"][0][1] == 0


def test_of_one_build_nothing_is_said_about_differences() -> None:
    report = sample_reports.identical()
    assert set(read(replace(report, builds=report.builds[:1]))) == {
        "ci_toolkit_artifact_size_bytes",
        "ci_toolkit_build_seconds",
    }


def test_formats_have_sizes_and_starts_have_times_but_none_where_there_were_none() -> None:
    found = read(situations.built())
    assert {labels["format"]: value for labels, value in found["ci_toolkit_format_size_bytes"]} == {
        "qcow2": 421_789_696,
        "netboot": 335_282_588,
    }
    assert found["ci_toolkit_boot_seconds"] == [({"firmware": "bios"}, 48.3), ({"firmware": "uefi"}, 6.4)]
    (start,) = read(situations.not_started())["ci_toolkit_boot_seconds"]
    assert start == ({"firmware": "uefi"}, 6.4)


def test_a_hostile_name_is_a_label_and_no_line_of_its_own() -> None:
    report = sample_reports.identical()
    name = 'a"} 1\n# EOF\nb\\{c="d' + "x" * 500
    builds = tuple(replace(build, artefacts=(Artefact(name=name, size=7, sha256="0" * 64),)) for build in report.builds)
    ((labels, value),) = read(replace(report, builds=builds))["ci_toolkit_artifact_size_bytes"]
    assert value == 7
    assert labels["file"].startswith('a"} 1\ufffd# EOF\ufffdb\\{c="d')
    assert len(labels["file"]) == 200
