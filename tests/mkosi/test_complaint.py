import subprocess
import sys
from pathlib import Path

import pytest

from ci_toolkit.mkosi import complaint


def test_a_package_that_is_not_there_is_told_in_the_words_of_apt() -> None:
    said = [
        "Reading state information...\n",
        "E: Unable to locate package nosuch\n",
        '‣ "apt-get install nosuch" returned non-zero exit code 100.\n',
    ]
    assert complaint.find(said) == "E: Unable to locate package nosuch"


def test_the_first_complaint_counts_since_the_others_follow_from_it() -> None:
    said = ["Errors were encountered while processing:", "error: target not found: a", "E: Sub-process failed"]
    assert complaint.find(said) == "error: target not found: a"


def test_a_full_disk_is_told_before_what_follows_from_it() -> None:
    with Path("/dev/full").open("wb") as full:
        said = subprocess.run(("echo", "1"), stdout=full, stderr=subprocess.PIPE, text=True, check=False).stderr
    follows = ["E: Failed to fetch http://mirror.example/debian", *["Reading package lists..."] * 20, "E: It failed"]
    assert complaint.find([said, *follows]) == said.strip()
    assert complaint.find(follows) == "E: It failed"


def test_of_a_traceback_its_last_line_is_told() -> None:
    said = subprocess.run((sys.executable, "-c", "b'\\xff'.decode()"), capture_output=True, text=True, check=False)
    found = complaint.find(said.stderr.splitlines())
    assert found is not None
    assert said.stderr.rstrip().endswith(found)
    assert found.startswith("UnicodeDecodeError: ")


def test_of_a_usage_the_complaint_is_told_without_its_preface() -> None:
    program = "import argparse; argparse.ArgumentParser('mkosi').parse_args(['--nosuch'])"
    said = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=False)
    assert complaint.find(said.stderr.splitlines()) == "unrecognized arguments: --nosuch"


@pytest.mark.parametrize("line", ["‣ Installing Debian", "Errors: 0", "Setting up liberror-perl (0.17029-2) ...", ""])
def test_what_only_talks_is_no_complaint(line: str) -> None:
    assert complaint.find([line]) is None
