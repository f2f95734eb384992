import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import Run, toolkit

pytestmark = pytest.mark.integration

VARIED = {"hostname", "build-path", "locale", "zone", "home", "cpus", "uid", "time"}

# The five leaks that examples/leaky plants: cause, a path that it touches, a word of the line that mends it.
PLANTED = {
    "password-salt": ("etc/shadow", "RootPassword=hashed:"),
    "ssh-host-key": ("etc/ssh/ssh_host_ed25519_key", "RemoveFiles="),
    "build-timestamp": ("etc/build-stamp", "SOURCE_DATE_EPOCH"),
    "ldconfig-cache": ("var/cache/ldconfig/aux-cache", "RemoveFiles=/var/cache/ldconfig/aux-cache"),
    "log-file": ("var/log/alternatives.log", "RemoveFiles="),
}


def test_the_debian_example_has_one_digest_in_two_surroundings(debian: Run) -> None:
    first, second = debian.report["builds"]
    assert debian.exit_code == 0, debian.stdout
    assert first["artefacts"] == second["artefacts"]
    assert {variation["name"] for variation in debian.report["variations"]} == VARIED


def test_the_digest_that_is_reported_is_that_of_the_file(debian: Run) -> None:
    image = debian.output / "debian.raw"
    with image.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    assert digest in debian.stdout
    assert digest in (debian.output / "report.md").read_text(encoding="utf-8")


def test_the_second_build_of_a_reproducible_image_is_not_kept(debian: Run) -> None:
    assert not (debian.output / "second").exists()


def test_the_builds_really_ran_in_different_surroundings(leaky: Run) -> None:
    """Told by the builds' own logs: mkosi names the directory of its workspace."""
    first, second = ((leaky.output / name).read_text(encoding="utf-8") for name in ("first.log", "second.log"))
    assert "/var/tmp/ci-toolkit/workspace" in first
    assert "/var/tmp/ci-toolkit/another/place/workspace" in second


@pytest.mark.parametrize("cause", PLANTED)
def test_each_planted_leak_is_named_with_the_line_that_mends_it(leaky: Run, cause: str) -> None:
    path, fix = PLANTED[cause]
    findings = {finding["cause"]: finding for finding in leaky.report["findings"]}
    assert leaky.exit_code == 1
    assert any(shown.endswith(path) for shown in findings[cause]["paths"])
    assert fix in findings[cause]["fix"]
    assert findings[cause]["fix"].splitlines()[0] in leaky.stdout


def test_nothing_in_the_leaky_image_is_left_unexplained(leaky: Run) -> None:
    unknown = [finding for finding in leaky.report["findings"] if finding["cause"] == "unknown"]
    assert unknown == []


def differing_files(first: Path, second: Path, scratch: Path) -> set[str]:
    """Return the regular files of the root file system that differ, in the words of sfdisk, debugfs and diff."""
    trees: list[Path] = []
    for image in (first, second):
        table = json.loads(
            subprocess.run(("sfdisk", "--json", image), capture_output=True, check=True, text=True).stdout
        )
        root = table["partitiontable"]["partitions"][-1]
        tree = scratch / f"{len(trees)}"
        tree.mkdir()
        partition = scratch / "root.ext4"
        with image.open("rb") as source, partition.open("wb") as target:
            source.seek(root["start"] * 512)
            remaining = root["size"] * 512
            while remaining:
                chunk = source.read(min(remaining, 1 << 22))
                target.write(chunk)
                remaining -= len(chunk)
        subprocess.run(("debugfs", "-R", f"rdump / {tree}", partition), capture_output=True, check=True)
        partition.unlink()
        trees.append(tree)
    told = subprocess.run(("diff", "-rq", "--no-dereference", *trees), capture_output=True, text=True, check=False)
    return set(re.findall(rf"^Files {trees[0]}/(.*) and .* differ$", told.stdout, re.MULTILINE))


def test_every_file_that_other_programs_find_different_is_named(leaky: Run, tmp_path: Path) -> None:
    for program in ("sfdisk", "debugfs", "diff"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    truth = differing_files(leaky.output / "leaky.raw", leaky.output / "second" / "leaky.raw", tmp_path)
    named = {difference["path"][-1] for difference in leaky.report["differences"] if difference["field"] == "content"}
    assert truth
    assert truth <= named


def test_compare_gives_the_same_verdict_as_verify(leaky: Run, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    images = (str(leaky.output / "leaky.raw"), str(leaky.output / "second" / "leaky.raw"))
    completed = toolkit("compare", *images, "--json", str(report))
    assert completed.returncode == 1
    assert json.loads(report.read_text(encoding="utf-8"))["verdict"] == "different"
