import json
from dataclasses import replace

import pytest
import recorded

from ci_toolkit.records import cyclonedx
from ci_toolkit.records.record import Installed, Record

validation = pytest.importorskip(
    "cyclonedx.validation.json", reason="cyclonedx-python-lib[json-validation] (`pip install --group dev`) is needed"
)
schema = pytest.importorskip("cyclonedx.schema")
bom = pytest.importorskip("cyclonedx.model.bom")

MANY = replace(
    recorded.RECORD,
    packages=tuple(
        Installed(name=name, version=name, architecture="all") for name in ("a b", "é", "\udcff", "x" * 500)
    ),
)


@pytest.mark.parametrize(
    "record",
    [recorded.RECORD, MANY, replace(recorded.RECORD, packages=None, main="none"), recorded.image(epoch=None)],
    ids=["debian", "odd names", "no manifest", "no epoch"],
)
def test_cyclonedxs_own_library_finds_nothing_wrong_with_it(record: Record) -> None:
    strict = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    assert strict.validate_str(cyclonedx.render(record)) is None


def test_its_own_library_reads_every_package_from_it() -> None:
    read = bom.Bom.from_json(json.loads(cyclonedx.render(recorded.RECORD)))
    assert {(one.name, one.version) for one in read.components} == {
        (one.name, one.version) for one in recorded.RECORD.packages or ()
    }
    assert {str(one.purl) for one in read.components} == {
        "pkg:deb/debian/base-files@13.8%2Bdeb13u8?arch=amd64&distro=debian-trixie",
        "pkg:deb/debian/libstdc%2B%2B6@14.2.0-19?arch=amd64&distro=debian-trixie",
        "pkg:deb/debian/login@1:4.16.0-2%2Breally2.41.5-0%2Bdeb13u1?arch=amd64&distro=debian-trixie",
    }
    read.validate()
    assert read.metadata.component.name == "cloud.raw"
    assert [hash_.content for hash_ in read.metadata.component.hashes] == ["b" * 64]


def test_it_is_the_same_whenever_the_same_bits_are_built() -> None:
    later = replace(recorded.RECORD, varying=replace(recorded.RECORD.varying, started=1.0, seconds=2.0))
    assert cyclonedx.render(later) == cyclonedx.render(recorded.RECORD)
    other = json.loads(cyclonedx.render(replace(recorded.RECORD, main="other.raw")))
    assert other["serialNumber"] != json.loads(cyclonedx.render(later))["serialNumber"]
    assert other["metadata"]["timestamp"] == "2026-02-02T02:40:00Z"
