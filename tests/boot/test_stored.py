import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ci_toolkit.boot import stored
from ci_toolkit.boot.changes import changes
from ci_toolkit.boot.outcome import Boot, Check, Outcome
from ci_toolkit.errors import ExitCode, UnreadableError

SCHEMA = json.loads(resources.files("ci_toolkit.boot").joinpath("boot.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

UP = Boot(
    firmware="uefi",
    accelerator="tcg",
    sign="a login prompt",
    seconds=32.5,
    state="degraded",
    startup="Startup finished in 1s",
    failed_units=("a.service",),
    ports=("tcp 0.0.0.0:22",),
    checks=(Check(name="good", exit_code=0), Check(name="late", exit_code=None, output="\x1b[1m", reason="late")),
)
DOWN = Boot(firmware="bios", accelerator="tcg", reason="the kernel panicked")
OUTCOME = Outcome(image="debian.raw", boots=(UP, DOWN))


def test_what_is_written_is_what_the_schema_says_and_read_as_it_was() -> None:
    text = stored.render(OUTCOME)
    VALIDATOR.validate(json.loads(text))
    assert text.isascii()
    found = stored.parse(text.encode())
    assert [boot.failed_units for boot in found.boots] == [("a.service",), None]
    assert (found.image, found.boots[0].seconds, found.boots[1].reason) == ("debian.raw", 32.5, "the kernel panicked")
    assert [check.exit_code for check in found.boots[0].checks] == [0, None]


def test_the_exit_code_is_fine_where_all_came_up_and_every_check_passed() -> None:
    good = Boot(firmware="uefi", accelerator="kvm", checks=(Check(name="good", exit_code=0),))
    assert Outcome(image="x", boots=(good,)).exit_code == ExitCode.FINE
    assert Outcome(image="x", boots=(good, DOWN)).exit_code == ExitCode.POLICY
    assert Outcome(image="x", boots=(UP,)).exit_code == ExitCode.POLICY


def test_the_schema_is_strict_about_every_object() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for one in (SCHEMA, *(found for found in SCHEMA["$defs"].values() if found.get("type") == "object")):
        assert one["additionalProperties"] is False
        assert set(one["required"]) == set(one["properties"])


@pytest.mark.parametrize(
    "document",
    [
        [], {}, {"schema": 2}, {"schema": True}, {"schema": 1}, {"schema": 1, "image": 1, "boots": []},
        {"schema": 1, "image": "x", "boots": {}}, {"schema": 1, "image": "x", "boots": [1]},
        {"schema": 1, "image": "x", "boots": [{}]},
        {"schema": 1, "image": "x", "boots": [1] * 5000},
    ],
)  # fmt: skip
def test_what_is_not_ours_is_refused_in_one_line(document: Any) -> None:
    with pytest.raises(UnreadableError) as error:
        stored.parse(json.dumps(document).encode())
    assert "\n" not in error.value.message


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("firmware", "\x1b[2J"), ("firmware", None), ("seconds", -1), ("seconds", True), ("seconds", "1"),
        ("seconds", 1e300), ("reason", ["x"]), ("reason", "x" * 2_000_000), ("failed_units", "x"), ("ports", [1]),
        ("checks", [{}]), ("checks", [{"name": "x", "exit_code": -1, "reason": ""}]),
    ],
)  # fmt: skip
def test_a_member_of_another_kind_is_named(member: str, value: Any) -> None:
    document = json.loads(stored.render(OUTCOME))
    document["boots"][0][member] = value
    with pytest.raises(UnreadableError, match=rf"boots\[0\]\.{member}"):
        stored.parse(json.dumps(document).encode())


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b"1" * 5000])
def test_what_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableError):
        stored.parse(content)


def test_a_file_without_end_or_none_at_all_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stored, "BYTES_MAX", 1000)
    for path in (Path("/dev/zero"), tmp_path, tmp_path / "none"):
        with pytest.raises(UnreadableError):
            stored.load(path)
    (tmp_path / "boot.json").write_text(json.dumps({"schema": 1, "image": "x", "boots": []}), encoding="utf-8")
    assert stored.load(tmp_path / "boot.json").boots == ()


def test_changes_name_what_is_new_and_what_is_gone() -> None:
    now = Boot(
        firmware="uefi",
        accelerator="tcg",
        sign="a login prompt",
        seconds=65.0,
        failed_units=("b.service",),
        ports=("tcp 0.0.0.0:22", "udp [::]:53"),
        checks=(Check(name="good", exit_code=1),),
    )
    up = Boot(firmware="bios", accelerator="tcg", sign="a login prompt", seconds=3)
    assert changes(OUTCOME, Outcome(image="x", boots=(now, up))) == (
        "UEFI: new failed unit: b.service",
        "UEFI: no failed unit any more: a.service",
        "UEFI: new listening port: udp [::]:53",
        "UEFI: slower: 32.5 s before, 65.0 s now",
        "UEFI: the check good passed before",
        "BIOS: comes up now, and did not before",
    )
    assert changes(OUTCOME, OUTCOME) == ()
