"""Every image of examples/arch, verified, converted, started, and told in one table: make arch-images.

python -m tests.arch.images [--output DIR] [--no-boot] [PROFILE…], from the checkout. The packages are those of the
mirror of this rig; without an image of its own, examples/debian is converted likewise.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.arch import images_checks as checks
from tests.arch import mirror
from tests.integration import small

ROOT: Final = Path(__file__).parents[2]
# An emulated processor's clock may be taken for broken, and the kernel then dies of changing its own code meanwhile.
_STARTS: Final = 3
_PANICKED: Final = "panicked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One image: its profiles, what it is converted to, by which firmware it starts, with which check.

    `user_data` is for cloud-init; `ssh` logs in as that user; `command` is what a container runs; `alike` is False
    where two builds are known to differ; `starts_result` means that what it was converted to is started, not the disk.
    """

    profile: str
    example: str = "arch"
    formats: tuple[str, ...] = ()
    firmware: tuple[str, ...] = ()
    check: str = ""
    user_data: str = ""
    ssh: str = ""
    command: str = ""
    alike: bool = True
    starts_result: bool = False


CASES: Final = (
    Case(
        profile="cloud", formats=("qcow2",), firmware=("bios", "uefi"), check=checks.CLOUD, user_data=checks.USER_DATA
    ),
    Case(profile="container", command="pacman -Q base && test ! -e /usr/bin/make"),
    Case(profile="container-devel", command="pacman -Q base-devel && make --version"),
    Case(
        profile="vagrant-libvirt",
        formats=("vagrant-libvirt",),
        firmware=("uefi",),
        check=checks.VAGRANT,
        starts_result=True,
    ),
    Case(
        profile="vagrant-virtualbox",
        formats=("vagrant-virtualbox",),
        firmware=("bios",),
        check=checks.VAGRANT,
        starts_result=True,
    ),
    Case(profile="netboot", formats=("netboot",), firmware=("auto",), check=checks.NETBOOT, starts_result=True),
    Case(profile="gitlab-executor", formats=("qcow2",), firmware=("uefi",), check=checks.EXECUTOR, ssh="root"),
    Case(profile="iso", formats=("iso",), firmware=("uefi",), check=checks.ISO),
    Case(profile="basic", formats=("qcow2",), firmware=("bios",), check=checks.BASIC),
    Case(profile="basic,btrfs", firmware=("bios",), check=checks.BTRFS, alike=False),
    Case(profile="", example="debian", formats=("qcow2", "vagrant-libvirt", "oci")),
)


@dataclass(slots=True, kw_only=True)
class Row:
    """What became of one case; `failed` names the steps that were to go well and did not."""

    name: str
    digest: str = "–"
    size: str = "–"
    results: list[str] = field(default_factory=list)
    starts: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    seconds: float = 0

    def cells(self) -> tuple[str, ...]:
        lists = (", ".join(cell) or "–" for cell in (self.results, self.starts, self.failed))
        return (self.name, self.digest, self.size, *lists, f"{self.seconds:.0f}")


HEAD: Final = ("image", "two builds", "size", "converted", "started", "failed", "s")


def verify(case: Case, output: Path, options: Sequence[str], cache: Path) -> Row:
    """Build CASE twice into OUTPUT with mkosi's OPTIONS; CACHE is for these packages alone."""
    row = Row(name=case.profile or case.example)
    profiles = ("--profile", case.profile) if case.profile else ()
    words = (f"examples/{case.example}", *profiles, "--runner", "container", "--output", str(output))
    code = toolkit("verify", *words, "--", *options, log=output.with_suffix(".verify.log"), cache=cache)
    if code not in (0, 1):  # what an earlier one left stays
        row.failed.append("build")
        return row
    report = json.loads((output / "report.json").read_text(encoding="utf-8"))
    first, second = ({one["name"]: one for one in build["artefacts"]} for build in report["builds"])
    same = first == second and report["verdict"] == "identical"
    found = main(case, output)
    # Of a container image, the index names all else.
    told = [one["sha256"] for name, one in first.items() if Path(name).name in (found.name, "index.json")]
    row.digest = f"one, {told[0][:12]}" if same and told else "differ"
    row.size = _size(found)
    if same != case.alike:
        row.failed.append("verify")
    return row


def main(case: Case, output: Path) -> Path:
    """Return the image of CASE in OUTPUT: a disk, or the directory of a container image."""
    disks = sorted(output.glob("*.raw"))
    return disks[0] if disks else output / f"arch-{case.profile}"


def convert(case: Case, row: Row, output: Path) -> None:
    if not case.formats:
        return
    place = output / "converted"
    words = (str(main(case, output)), "--to", ",".join(case.formats), "--output", str(place))
    if toolkit("convert", *words, log=output.with_suffix(".convert.log")) != 0:
        row.failed.append("convert")
        return
    row.results += [f"{path.name} ({_size(path)})" for path in _made(output)]


def _made(output: Path) -> list[Path]:
    return [path for path in sorted((output / "converted").iterdir()) if path.suffix != ".sha256"]


def _subject(case: Case, output: Path) -> Path:
    """Return what of CASE is started."""
    return _made(output)[0] if case.starts_result else main(case, output)


def start(case: Case, row: Row, output: Path) -> None:
    """Start CASE by each of its firmwares."""
    for firmware in case.firmware:
        words = [str(_subject(case, output)), "--firmware", firmware, "--output", str(output / f"boot-{firmware}")]
        with tempfile.TemporaryDirectory() as scratch:
            for option, name, text in (
                ("--check", "check.sh", case.check),
                ("--user-data", "user-data", case.user_data),
            ):
                if text:
                    path = Path(scratch, name)
                    path.write_text(text, encoding="utf-8")
                    words += [option, str(path)]
            words += ["--ssh", case.ssh] if case.ssh else []
            told = _started(words, output, firmware)
        row.starts.append(f"{firmware} {told}")
        if not told.startswith("up"):
            row.failed.append(firmware)


def _started(words: list[str], output: Path, firmware: str) -> str:
    """Return how the start went; once more where the emulated processor made the kernel panic."""
    reason = ""
    for attempt in range(1, _STARTS + 1):
        log = output.with_suffix(f".boot-{firmware}-{attempt}.log")
        code = toolkit("boot", *words, log=log)
        if code not in (0, 1):
            return f"exit code {code}"
        (boot,) = json.loads((output / f"boot-{firmware}/boot.json").read_text(encoding="utf-8"))["boots"]
        if code == 0:
            units = ", ".join(boot["failed_units"])
            return f"up in {boot['seconds']:.0f} s" + (f", failed units: {units}" if units else "")
        reason = boot["reason"] or "a check failed"
        if _PANICKED not in reason:
            break
    return reason


def run(case: Case, row: Row, output: Path) -> None:
    """Run the command of CASE in a container of its image: skopeo hands it to the engine."""
    if not case.command:
        return
    tag = f"arch-images:{case.profile}"
    archive = output / "docker.tar"
    steps = (
        ("skopeo", "copy", "--insecure-policy", f"oci:{main(case, output)}", f"docker-archive:{archive}:{tag}"),
        ("docker", "load", "--input", str(archive)),
        ("docker", "run", "--rm", tag, "sh", "-c", case.command),
    )
    try:
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                row.failed.append(step[0])
                row.starts.append(done.stderr.strip().splitlines()[-1][:60] if done.stderr.strip() else step[0])
                return
        row.starts.append("runs")
    finally:
        archive.unlink(missing_ok=True)
        subprocess.run(("docker", "image", "rm", "--force", tag), capture_output=True, check=False)


def rows(cases: Sequence[Case], output: Path, options: Sequence[str], *, boot: bool) -> Iterator[Row]:
    """Take each of CASES through all steps, its files into OUTPUT."""
    # Made anew, the packages of the rig have other bytes under the same names: those of an earlier call are of no use.
    cache = output / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    for case in cases:
        began = time.monotonic()
        place = output / (case.profile or case.example).replace(",", "-")
        row = verify(case, place, options if case.example == "arch" else (), cache)
        if "build" not in row.failed:
            convert(case, row, place)
            run(case, row, place)
            if boot:
                start(case, row, place)
        row.seconds = time.monotonic() - began
        yield row


def toolkit(*words: str, log: Path, cache: Path | None = None) -> int:
    log.parent.mkdir(parents=True, exist_ok=True)
    environ = small.environ() | {"PYTHONPATH": str(ROOT), "CI_TOOLKIT_IMAGE": mirror.IMAGE}
    if cache is not None:
        environ["XDG_CACHE_HOME"] = str(cache)
    with log.open("w", encoding="utf-8") as file:
        argv = (sys.executable, "-m", "ci_toolkit", *words)
        done = subprocess.run(
            argv, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, check=False
        )
    return done.returncode


def _size(path: Path) -> str:
    """Return what PATH takes on the disk, and how large it claims to be where that is more."""
    files = [one for one in ([path] if path.is_file() else path.rglob("*")) if one.is_file()]
    used, whole = (sum(sizes) / 1e6 for sizes in zip(*((_used(one), one.stat().st_size) for one in files), strict=True))
    return f"{used:.0f} MB" + (f" of {whole / 1000:.1f} GB" if whole > 1.2 * used else "")


def _used(path: Path) -> int:
    return path.stat().st_blocks * 512


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.arch.images")
    parser.add_argument("profiles", nargs="*", metavar="PROFILE")
    parser.add_argument("--output", type=Path, default=Path("output/arch-images"))
    parser.add_argument("--no-boot", action="store_true")
    return parser.parse_args()


def entry() -> int:
    """Print a row for each image as it is done, and the table at the end; 1 where something failed."""
    asked = arguments()
    cases = [case for case in CASES if not asked.profiles or (case.profile or case.example) in asked.profiles]
    output = asked.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    found: list[Row] = []
    try:
        with mirror.serve() as options:
            for row in rows(cases, output, options, boot=not asked.no_boot):
                print(" · ".join(row.cells()), flush=True)
                found.append(row)
    except mirror.UnavailableError as error:
        print(f"skipped: {error}")
        return os.EX_UNAVAILABLE
    print()
    for cells in (HEAD, ("---",) * len(HEAD), *(row.cells() for row in found)):
        print(f"| {' | '.join(cells)} |")
    return 1 if any(row.failed for row in found) else 0


if __name__ == "__main__":
    sys.exit(entry())
