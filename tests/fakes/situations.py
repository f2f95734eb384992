"""The situations in which people read a comment, each as the report it is made of."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import sample_reports

from ci_toolkit.boot.outcome import Boot, Check
from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.compare.comparison import Verdict
from ci_toolkit.compare.difference import Content, Difference, Field, Value
from ci_toolkit.compare.explain import explain, explained_bytes
from ci_toolkit.compare.facts import Facts
from ci_toolkit.host import environment
from ci_toolkit.host.environment import NORMAL, VARIATIONS
from ci_toolkit.images.entry import Kind
from ci_toolkit.images.listing import Listed
from ci_toolkit.mkosi.build import Artefact
from ci_toolkit.mkosi.manifest import Package
from ci_toolkit.reports import baseline
from ci_toolkit.reports.report import FORK_NOTE, Converted, Failure, Report

JOB: Final = Job(
    provider=Provider.GITHUB,
    repository="archlinux/images",
    commit="3d962cd2a1b5d65b9d3a2f0c4e5b6a7988776655",
    change=42,
    run_url="https://github.com/archlinux/images/actions/runs/9123456789",
    name="Images / verify",
)
_MAIN: Final = replace(JOB, commit="8f14e45fceea167a5a36dedd4bea2543c6d3a1b0", change=None)
_FILES: Final = 9_982
_NETBOOT: Final = (
    ("boot.ipxe", 412),
    ("initrd", 38_797_312),
    ("root.tar.gz", 287_309_824),
    ("vmlinuz", 9_175_040),
)
_FORMATS: Final = (
    Converted(
        format="qcow2",
        files=(Artefact(name="image.qcow2", size=421_789_696, sha256=hashlib.sha256(b"qcow2").hexdigest()),),
        seconds=6.2,
    ),
    Converted(
        format="netboot",
        files=tuple(
            Artefact(name=f"image.netboot/{name}", size=size, sha256=hashlib.sha256(name.encode()).hexdigest())
            for name, size in _NETBOOT
        ),
        seconds=14.8,
    ),
)
_UEFI: Final = Boot(
    firmware="uefi",
    accelerator="kvm",
    sign="systemd's own word",
    seconds=6.4,
    state="running",
    startup="Startup finished in 1.102s (kernel) + 2.871s (initrd) + 1.630s (userspace) = 5.604s",
    failed_units=(),
    ports=("tcp 0.0.0.0:22",),
    checks=(Check(name="login.sh", exit_code=0, output="fine\n"),),
    files=("uefi.serial.log", "uefi.journal.log", "uefi.screen.png"),
)
_BIOS: Final = replace(_UEFI, firmware="bios", accelerator="tcg", seconds=48.3, files=("bios.serial.log",))


def identical() -> Report:
    """The same bits twice, a little larger than on the base branch, by five packages."""
    report = replace(sample_reports.identical(), job=JOB, files=_files("6.19.6", zlib=121_280, nano=0))
    return replace(report, changes=(baseline.between(_base(report), report),))


def five_causes() -> Report:
    """An image with five leaks planted in it, of the same packages as before."""
    report = replace(sample_reports.leaky(), job=JOB, artifact_url=None)
    assert report.comparison is not None
    left_out = {"etc/machine-id", "usr/share/app/index.json"}
    found = tuple(one for one in report.comparison.differences if not left_out & set(one.path))
    base = replace(sample_reports.identical(), title=report.title, job=_MAIN)
    return _differing(replace(report, changes=(baseline.between(base, report),)), found, bytes_in_all=5_037)


def ten_thousand() -> Report:
    """An image whose whole tree follows the umask, with thousands of files that nobody can explain."""
    report = five_causes()
    assert report.comparison is not None
    found = (*_many(), *report.comparison.differences)
    return _differing(report, found, bytes_in_all=1_048_576)


def _differing(report: Report, found: tuple[Difference, ...], bytes_in_all: int) -> Report:
    assert report.comparison is not None
    facts = Facts(
        distribution="debian",
        format="disk",
        epoch=1_782_864_000,
        first_clock=1_782_869_000,
        second_clock=1_782_869_092,
        first=NORMAL,
        second=replace(environment.varied(VARIATIONS), umask=0o077),
    )
    findings = explain(found, facts)
    return replace(
        report,
        comparison=replace(report.comparison, differences=found, differing_bytes=bytes_in_all),
        findings=findings,
        explained_bytes=explained_bytes(findings),
    )


def first_build() -> Report:
    """Nothing to compare with."""
    return replace(sample_reports.identical(), job=JOB)


def fork() -> Report:
    """The report of a fork's job, as another job posts it."""
    return replace(identical(), notes=(FORK_NOTE,))


def built() -> Report:
    """One build, without a verdict, then converted to two formats and started with both kinds of firmware."""
    report = identical()
    return replace(report, builds=report.builds[:1], variations=(), once=True, formats=_FORMATS, boots=(_BIOS, _UEFI))


def not_started() -> Report:
    """The same bits twice, but BIOS finds nothing to start, and a check fails after the start with UEFI."""
    nothing = "the image has nothing that a BIOS starts: its first sector holds no boot code"
    down = replace(_BIOS, reason=nothing, sign="", seconds=0.0, state=None, failed_units=None, ports=None)
    bad = Check(name="web.sh", exit_code=7, output="curl: (7) Failed to connect to localhost port 80\n")
    up = replace(_UEFI, state="degraded", failed_units=("nginx.service",), checks=(*_UEFI.checks, bad))
    return replace(first_build(), boots=(replace(down, checks=()), up))


def failed() -> Report:
    """A build that ended with a full disk."""
    words = "\n".join(
        (
            "‣ Installing Debian",
            "Unpacking linux-image-6.19.6-amd64 (6.19.6-1) ...",
            "dpkg: error processing archive linux-image-6.19.6-amd64_6.19.6-1_amd64.deb (--unpack):",
            " cannot copy extracted data for './boot/vmlinuz-6.19.6-amd64': No space left on device",
            "E: Sub-process /usr/bin/dpkg returned an error code (1)",
            '‣ "apt-get -o APT::Architecture=amd64 install systemd linux-image-amd64" returned non-zero exit code 100.',
        )
    )
    return Report(
        title="examples/debian",
        verdict=Verdict.FAILED,
        comparison=None,
        failure=Failure(
            exit_code=4,
            message=f"mkosi failed with exit code 1: a file system is full\n{words}",
            hint="A build lies on the file system of the --output, and its /tmp in memory: make room, or name another.",
        ),
        job=JOB,
    )


def matrix() -> tuple[Report, ...]:
    """Four images, of which one leaks and one failed, against the base branch and the last release at once."""
    report = replace(identical(), changes=())
    base, release = _base(report), _release(report)
    arm64 = replace(report, variant="arm64")
    leaky = replace(five_causes(), changes=(), files=report.files)
    return (
        replace(report, changes=(baseline.between(base, report, "main"), baseline.between(release, report, "v1.4"))),
        replace(arm64, changes=(baseline.between(replace(base, variant="arm64"), arm64, "main"),)),
        replace(leaky, changes=(baseline.between(replace(leaky, job=_MAIN), leaky, "main"),)),
        replace(failed(), title="examples/arch"),
    )


SITUATIONS: Final[dict[str, Callable[[], tuple[Report, ...]]]] = {
    "identical": lambda: (identical(),),
    "five-causes": lambda: (five_causes(),),
    "ten-thousand-differences": lambda: (ten_thousand(),),
    "first-build": lambda: (first_build(),),
    "built": lambda: (built(),),
    "not-started": lambda: (not_started(),),
    "fork": lambda: (fork(),),
    "failed-build": lambda: (failed(),),
    "matrix": matrix,
}


def _base(report: Report) -> Report:
    """What the base branch built: an older kernel, an older zlib, and what has gone since."""
    (first, *_) = report.builds
    before = {"linux-image-6.19.6-amd64": None, "zlib1g": "1:1.3.1-0", "systemd": "257.14-1"}
    kept = [
        replace(one, version=version)
        for one in first.packages or ()
        if (version := before.get(one.name, one.version)) is not None
    ]
    gone = [
        Package(name="linux-image-6.19.5-amd64", architecture="amd64", version="6.19.5-1"),
        Package(name="nano", architecture="amd64", version="8.4-1"),
    ]
    bits = hashlib.sha256(b"base").hexdigest()
    artefacts = (Artefact(name="image.raw", size=first.artefacts[0].size - 1_212_416, sha256=bits), first.artefacts[1])
    build = replace(first, artefacts=artefacts, packages=tuple(sorted((*kept, *gone))))
    return replace(report, builds=(build, build), job=_MAIN, files=_files("6.19.5", zlib=119_232, nano=283_144))


def _release(report: Report) -> Report:
    """What the last release had: the base branch's packages without systemd, in a third of the size."""
    base = _base(report)
    (first, *_) = base.builds
    less = tuple(one for one in first.packages or () if one.name != "systemd")
    artefacts = (replace(first.artefacts[0], size=first.artefacts[0].size // 3), first.artefacts[1])
    build = replace(first, artefacts=artefacts, packages=less)
    files = tuple(one for one in base.files or () if "systemd" not in one.path)
    job = replace(_MAIN, commit="c81e728d9d4c2f636f067f89cc14862c70cbf3a5")
    return replace(base, builds=(build, build), job=job, files=files)


def _files(kernel: str, zlib: int, nano: int) -> tuple[Listed, ...]:
    """What is in the image: a kernel with its modules, a unified one, and some more."""
    sizes = {
        f"1:esp/EFI/Linux/debian-{kernel}-amd64.efi": 61_341_696,
        f"2:root/boot/vmlinuz-{kernel}-amd64": 12_034_944,
        **{f"2:root/usr/lib/modules/{kernel}-amd64/kernel/m{number}.ko.xz": 24_004 for number in range(4_012)},
        "2:root/usr/lib/systemd/systemd": 96_832,
        "2:root/usr/lib/systemd/libsystemd-core-257.so": 2_254_512,
        "2:root/usr/lib/x86_64-linux-gnu/libz.so.1.3.1": zlib,
        "2:root/var/lib/dpkg/status": 401_222 - zlib // 1_000 + nano // 1_000,
        **({"2:root/usr/bin/nano": nano} if nano else {}),
    }
    return tuple(Listed(path, Kind.FILE, size) for path, size in sorted(sizes.items()))


def _many() -> tuple[Difference, ...]:
    modes = [_difference(f"usr/share/doc/{number:04}/copyright", Field.MODE, 0o644, 0o600) for number in range(6_000)]
    texts = [
        _difference(f"usr/share/app/cache/{number:04}.json", Field.CONTENT, _text(number), _text(number + 7))
        for number in range(_FILES - len(modes))
    ]
    return (*modes, *texts)


def _text(number: int) -> Content:
    data = f'{{"page": {number * 7919 % 9973}, "order": [{number * 31 % 97}, {number * 17 % 89}]}}\n'.encode()
    return Content(size=len(data), sha256=hashlib.sha256(data).hexdigest(), head=data)


def _difference(path: str, field: Field, before: Value, after: Value) -> Difference:
    return Difference(
        path=("2:root", path),
        field=field,
        name=None,
        container="ext4",
        before=before,
        after=after,
        opened=False,
        bytes=2,
        first_offset=9 if field is Field.CONTENT else None,
    )
