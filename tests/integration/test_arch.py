"""examples/arch, built by mkosi's own Arch code and the real pacman, of packages that a rig makes of Debian's."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.arch import files, mirror
from tests.integration import small
from tests.integration.conftest import ROOT, Run

pytestmark = pytest.mark.integration

# Takes the root file system out of the disk $1 and asks pacman for its opinion, then debugfs for that of single files,
# which knows the modes too that it did not give to what it copied: setuid and sticky bits.
INSPECT = r"""
set -eu
sfdisk --dump "$1" | sed -n 's/.*start= *\([0-9]*\), size= *\([0-9]*\),.*name="root.*/\1 \2/p' > /tmp/place
read -r start size < /tmp/place
dd if="$1" of=/tmp/root bs=512 skip="$start" count="$size" status=none
mkdir /tmp/tree
debugfs -R "rdump / /tmp/tree" /tmp/root > /dev/null 2>&1
cd /tmp/tree
find . -mindepth 1 ! -type l > /tmp/paths
sed 's|^\.\(.*\)|stat "\1"|' /tmp/paths > /tmp/questions
debugfs -f /tmp/questions /tmp/root 2> /dev/null | sed -n 's/.*Mode: *\([0-7]*\).*/\1/p' > /tmp/told
paste /tmp/told /tmp/paths > /tmp/modes
while read -r mode path; do chmod "$mode" "$path"; done < /tmp/modes
pacman="pacman --root /tmp/tree --dbpath /tmp/tree/var/lib/pacman"
$pacman -Qkk 2>&1 | sed 's/^/checked /'
$pacman -Qi | sed -n 's/^Install Date *: /installed /p'
for path in srv/ftp var/games tmp var/spool/mail etc/pacman.d/gnupg; do
    echo "owned $path $(debugfs -R "stat /$path" /tmp/root 2>&1 | tr -d '\n')"
done
find var/cache/ldconfig etc/pacman.d/gnupg var/lib/systemd/catalog -mindepth 1 2> /dev/null | sed 's/^/found /'
sed 's/^/logged /' var/log/pacman.log 2> /dev/null || true
sed 's/^/account /' etc/passwd
"""

# What a build is to change: systemd adds accounts and closes the stores of credentials, mkosi names the image.
CHANGED = {
    *((path, what) for path in (*files.EDITED, "usr/lib/os-release") for what in ("Size", "SHA256 checksum")),
    *((path, "Permissions") for path in ("etc/credstore", "etc/credstore.encrypted")),
}

# What leaks where a definition has a keyring made, and calls the image's own pacman.
SCRIPT = """\
#!/bin/sh
set -eu
pacman-key --init
pacman-key --populate
pacman --remove --noconfirm tree
"""


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """What programs say of an image: lines, by their first word."""

    lines: tuple[str, ...]

    def of(self, kind: str) -> list[str]:
        return [line.removeprefix(f"{kind} ") for line in self.lines if line.startswith(f"{kind} ")]


def inspect(run: Run) -> Inspected:
    argv = ("docker", "run", "--rm", "--env=TZ=UTC", f"--volume={run.output}:/mnt:ro", "--entrypoint=sh", mirror.IMAGE)
    told = subprocess.run((*argv, "-c", INSPECT, "sh", "/mnt/arch.raw"), capture_output=True, text=True, check=True)
    return Inspected(lines=tuple(told.stdout.splitlines()))


def verify(definition: Path, output: Path, options: tuple[str, ...]) -> Run:
    """Verify in a container, with a package cache of its own: another mirror has other packages of the same names."""
    argv = (
        sys.executable,
        "-m",
        "ci_toolkit",
        "verify",
        str(definition),
        "--runner",
        "container",
        "--output",
        str(output),
    )
    environ = small.environ() | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(output.parent / "cache")}
    done = subprocess.run((*argv, "--", *options), env=environ, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return Run(exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr, output=output)


def pin(configuration: Path, snapshot: str) -> None:
    """Take the line of CONFIGURATION that pins the packages out of its comment, and check that it is for SNAPSHOT."""
    text = configuration.read_text(encoding="utf-8")
    assert f"\n# Snapshot={snapshot}\n" in text
    configuration.write_text(text.replace("\n# Snapshot=", "\nSnapshot="), encoding="utf-8")


@pytest.fixture(scope="module")
def arch(served: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """examples/arch, verified."""
    return verify(ROOT / "examples/arch", tmp_path_factory.mktemp("arch") / "output", served)


@pytest.fixture(scope="module")
def inspected(arch: Run) -> Inspected:
    return inspect(arch)


@pytest.fixture(scope="module")
def keyed(served: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same with a keyring and a log, verified; its packages are those of one day."""
    place = tmp_path_factory.mktemp("keyed")
    shutil.copytree(ROOT / "examples/arch", place / "source/arch")
    small.write(place / "source", {"arch/mkosi.postinst.chroot": SCRIPT})
    pin(place / "source/arch/mkosi.conf", mirror.SNAPSHOT)
    small.commit(place / "source")
    return verify(place / "source/arch", place / "output", served)


@pytest.fixture(scope="module")
def keyed_inspected(keyed: Run) -> Inspected:
    return inspect(keyed)


def epoch(run: Run) -> int:
    """The epoch of the build as the report has it."""
    found = re.search(r"SOURCE_DATE_EPOCH\D+(\d+)", json.dumps(run.report))
    assert found is not None
    return int(found[1])


def dated(run: Run, form: str) -> str:
    environ = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
    argv = ("date", f"--date=@{epoch(run)}", form)
    return subprocess.run(argv, env=environ, capture_output=True, text=True, check=True).stdout.strip()


def test_the_arch_example_has_one_digest_in_two_surroundings(arch: Run) -> None:
    first, second = arch.report["builds"]
    assert arch.exit_code == 0, arch.stdout
    assert first["artefacts"] == second["artefacts"]


def test_pacman_finds_every_file_as_its_package_has_it(inspected: Inspected) -> None:
    told = [re.fullmatch(r"warning: \S+: /tmp/tree/(.+) \((.+) mismatch\)", line) for line in inspected.of("checked")]
    altered = {(found[1], found[2]) for found in told if found is not None}
    # debugfs gives symbolic links the time of now.
    assert {(path, what) for path, what in altered if what != "Modification time"} <= CHANGED
    assert sum("total files" in line for line in inspected.of("checked")) > 50


@pytest.mark.parametrize(
    ("path", "mode", "group"),
    [("srv/ftp", "0555", 11), ("var/games", "0775", 50), ("tmp", "01777", 0), ("var/spool/mail", "01777", 0)],
)
def test_what_is_not_plain_roots_is_whose_the_package_says(
    inspected: Inspected, path: str, mode: str, group: int
) -> None:
    told = next(line for line in inspected.of("owned") if line.startswith(f"{path} "))
    found = re.search(r"Mode: +(\d+) .*User: +(\d+) +Group: +(\d+)", told)
    assert found is not None, told
    assert found.groups() == (mode, "0", str(group))


def test_each_package_was_installed_at_the_epoch(arch: Run, inspected: Inspected) -> None:
    assert set(inspected.of("installed")) == {dated(arch, "+%c")}


def test_hooks_have_run_and_left_no_cache_of_the_build(inspected: Inspected) -> None:
    assert any(line.startswith("systemd-network:") for line in inspected.of("account"))
    assert inspected.of("found") == ["var/lib/systemd/catalog/database"]


def test_a_keyring_with_a_secret_key_is_emptied_and_that_is_said(keyed: Run, keyed_inspected: Inspected) -> None:
    found = keyed_inspected
    assert keyed.exit_code == 0, keyed.stdout
    assert not any("gnupg" in line for line in found.of("found"))
    assert "pacman-key --init" in (keyed.output / "first.log").read_text(encoding="utf-8").split("emptied", 1)[1]
    owned = next(line for line in found.of("owned") if line.startswith("etc/pacman.d/gnupg "))
    assert "Type: directory" in owned


def test_the_log_of_pacman_is_kept_with_the_epoch_as_its_time(keyed: Run, keyed_inspected: Inspected) -> None:
    logged = keyed_inspected.of("logged")
    assert any("removed tree" in line for line in logged)
    assert {line.split("]", 1)[0] for line in logged} == {dated(keyed, "+[%Y-%m-%dT%H:%M:%S+0000")}


@pytest.mark.parametrize(("example", "snapshot"), [("arch", mirror.SNAPSHOT), ("debian", "20260701T000000Z")])
def test_the_pin_of_an_example_is_one_line_that_mkosi_knows(
    runner: None, tmp_path: Path, example: str, snapshot: str
) -> None:
    shutil.copytree(ROOT / "examples" / example, tmp_path / example)
    pin(tmp_path / example / "mkosi.conf", snapshot)
    argv = ("docker", "run", "--rm", f"--volume={tmp_path / example}:/mnt:ro", "--entrypoint=mkosi", mirror.IMAGE)
    told = subprocess.run(
        (*argv, "--directory=/mnt", "--json", "summary"), capture_output=True, text=True, check=True
    ).stdout
    image = json.loads(told)["Images"][-1]
    assert image["Snapshot"] == snapshot
