import json
from pathlib import Path

import pytest
import recorded
from call import Call

from ci_toolkit.errors import ExitCode, UnreadableError
from ci_toolkit.records import spdx, stored


@pytest.fixture
def call(tmp_path: Path) -> Call:
    stored.write(recorded.RECORD, tmp_path)
    return Call(tmp_path, "local/laptop")


def test_a_directory_stands_for_the_record_in_it(call: Call) -> None:
    assert call("sbom", str(call.folder)) == ExitCode.FINE
    assert call.shown == spdx.render(recorded.RECORD)


def test_it_is_written_to_a_file_where_one_is_named(call: Call) -> None:
    target = call.folder / "image.cdx.json"
    record = str(call.folder / "build-record.json")
    assert call("sbom", record, "--format", "cyclonedx", "--output", str(target)) == ExitCode.FINE
    assert json.loads(target.read_text())["bomFormat"] == "CycloneDX"
    assert call.shown == ""


@pytest.mark.parametrize("name", ["nothing", "/dev/zero", "images"])
def test_what_is_no_record_is_told_in_one_line(call: Call, name: str) -> None:
    with pytest.raises(UnreadableError) as refused:
        call("sbom", str(call.folder / name))
    assert "\n" not in refused.value.message
