"""The table of rules as a whole, and that mkosi takes the lines that it advises."""

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from ci_toolkit.compare.rules.rule import Follows
from ci_toolkit.compare.rules.table import RULES

# What a reader would put in place of the words in angle brackets.
FILLED = {
    "Seed": "0e9a6fe0-68f6-408c-bbeb-136054d20445",
    "SourceDateEpoch": "1700000000",
    "Snapshot": "20260701T000000Z",
    "Hostname": "thing",
    "ImageVersion": "1",
    "RootPassword": "hashed:$6$salt$hash",
}


def test_identifiers_are_kebab_case_and_every_cause_but_a_consequence_has_a_fix() -> None:
    for rule in RULES:
        assert all(word.isalnum() and word.islower() for word in rule.cause.identifier.split("-"))
        assert rule.cause.explanation.endswith(".")
        assert rule.cause.fix or rule.follows is not Follows.NEVER, rule.cause.identifier


def test_one_identifier_has_one_title_and_one_explanation() -> None:
    told = {(rule.cause.identifier, rule.cause.title, rule.cause.explanation) for rule in RULES}
    assert max(Counter(identifier for identifier, _, _ in told).values()) == 1


def test_sources_are_addresses() -> None:
    assert all(rule.cause.source == "" or rule.cause.source.startswith("https://") for rule in RULES)


def advised() -> dict[str, str]:
    """All settings that causes advise, as the text of one mkosi.conf for each cause."""
    found = {}
    for rule in RULES:
        lines = [line for line in rule.cause.fix.splitlines() if re.match(r"\[\w+\]$|\w+=", line)]
        text = "\n".join(
            f"{line.partition('=')[0]}={FILLED[line.partition('=')[0]]}" if line.partition("=")[0] in FILLED else line
            for line in lines
        ).replace("<uuid>", FILLED["Seed"])
        if lines:
            found[rule.cause.identifier] = text
    return found


def test_mkosi_takes_every_line_that_is_advised(tmp_path: Path) -> None:
    mkosi = shutil.which("mkosi")
    if mkosi is None:
        pytest.skip("mkosi is not installed")
    text = "\n".join(advised().values())
    assert "<" not in text
    (tmp_path / "mkosi.conf").write_text(f"[Distribution]\nDistribution=debian\nRelease=trixie\n{text}\n")
    completed = subprocess.run(
        [mkosi, "--directory", str(tmp_path), "--json", "summary"], capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr
    assert [line for line in completed.stderr.splitlines() if "mkosi.conf" in line] == []
    environment = json.loads(completed.stdout)["Images"][-1]["Environment"]
    options = f"-E hash_seed={FILLED['Seed']},nodiscard,lazy_itable_init=1"
    assert environment["SYSTEMD_REPART_MKFS_OPTIONS_EXT4"] == options
