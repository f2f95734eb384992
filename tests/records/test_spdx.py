import json
from dataclasses import replace
from pathlib import Path

import pytest
import recorded

from ci_toolkit.records import spdx
from ci_toolkit.records.record import Installed, Record

parse_anything = pytest.importorskip(
    "spdx_tools.spdx.parser.parse_anything", reason="spdx-tools (`pip install --group dev`) is needed"
)
validator = pytest.importorskip("spdx_tools.spdx.validation.document_validator")

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
def test_spdxs_own_tools_find_nothing_wrong_with_it(record: Record, tmp_path: Path) -> None:
    (tmp_path / "image.spdx.json").write_text(spdx.render(record))
    document = parse_anything.parse_file(str(tmp_path / "image.spdx.json"))
    assert validator.validate_full_spdx_document(document) == []
    assert len(document.packages) == 1 + len(record.packages or ())


def test_it_describes_the_image_and_every_package_in_it(tmp_path: Path) -> None:
    (tmp_path / "image.spdx.json").write_text(spdx.render(recorded.RECORD))
    document = parse_anything.parse_file(str(tmp_path / "image.spdx.json"))
    image, *packages = document.packages
    assert (image.name, image.checksums[0].value) == ("cloud.raw", "b" * 64)
    assert [(one.name, one.version) for one in packages] == [
        (one.name, one.version) for one in recorded.RECORD.packages or ()
    ]
    assert [[sum_.value for sum_ in one.checksums] for one in packages] == [["f" * 64], ["a" * 64], []]


def test_its_identifier_is_that_of_the_bits_and_not_of_the_time() -> None:
    later = replace(recorded.RECORD, varying=replace(recorded.RECORD.varying, started=1.0, seconds=2.0))
    other = replace(recorded.RECORD, main="other.raw")
    assert spdx.render(later) == spdx.render(recorded.RECORD)
    names = {json.loads(spdx.render(one))["documentNamespace"] for one in (recorded.RECORD, later, other)}
    assert len(names) == 2
    assert json.loads(spdx.render(recorded.RECORD))["creationInfo"]["created"] == "2026-02-02T02:40:00Z"
