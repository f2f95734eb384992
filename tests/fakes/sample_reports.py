"""Reports as verify and compare make them, with the findings that the rules really give, for tests and pictures."""

import hashlib
from dataclasses import replace
from pathlib import Path

from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.compare.comparison import Comparison, Side, Skipped, Verdict
from ci_toolkit.compare.difference import Content, Difference, Field, Value
from ci_toolkit.compare.explain import explain, explained_bytes
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.parts import Disk, Part
from ci_toolkit.host import environment
from ci_toolkit.host.environment import NORMAL, VARIATIONS, Variation
from ci_toolkit.mkosi.build import Artefact, Build
from ci_toolkit.mkosi.manifest import Package
from ci_toolkit.reports.report import Report

_EPOCH = 1_782_864_000
_ESP, _ROOT = 1_048_576, 269_484_032
_UKI = "EFI/Linux/debian-6.19.6.efi"
_FACTS = (
    ("runner", "container: Docker 27.5, rootless, image mkosi-action:1"),
    ("mkosi", "27.1"),
    ("systemd-repart", "262"),
    ("SOURCE_DATE_EPOCH", f"{_EPOCH} (last commit)"),
    ("seed", "8b1d0c1e-9c5f-5b0a-9f3e-2a64f7f0b1c2 (derived from the configuration)"),
)
PACKAGES = tuple(
    Package(name=name, version=version, architecture="amd64")
    for name, version in (
        ("base-files", "13.8"),
        ("libc6", "2.41-12"),
        ("linux-image-6.19.6-amd64", "6.19.6-1"),
        ("systemd", "257.13-1"),
        ("zlib1g", "1:1.3.1-1"),
    )
)


def identical() -> Report:
    """Two builds with the same bits."""
    builds = (_build("image.raw", b"same", 92.4), _build("image.raw", b"same", 101.7))
    return Report(
        title="examples/debian",
        verdict=Verdict.IDENTICAL,
        comparison=None,
        builds=builds,
        variations=_variations(),
        facts=_FACTS,
    )


def leaky() -> Report:
    """Two builds of an image with leaks planted in it."""
    differences = _differences()
    surroundings = replace(environment.varied(VARIATIONS), umask=0o077)
    facts = Facts(
        distribution="debian",
        format="disk",
        epoch=_EPOCH,
        first_clock=_EPOCH + 5000,
        second_clock=_EPOCH + 5092,
        first=NORMAL,
        second=surroundings,
    )
    findings = explain(differences, facts)
    return Report(
        title="examples/leaky",
        verdict=Verdict.DIFFERENT,
        comparison=_comparison(differences),
        findings=findings,
        explained_bytes=explained_bytes(findings),
        builds=(_build("image.raw", b"first", 92.4), _build("image.raw", b"second", 101.7)),
        variations=(
            *_variations(),
            Variation(name="uid", first="", second="", skipped="only one range of ids is mapped here"),
        ),
        facts=_FACTS,
        notes=("mkosi.conf sets no Seed=; the one in use is derived from the configuration.",),
        job=Job(
            provider=Provider.GITHUB,
            repository="archlinux/mkosi-action",
            commit="3d962cd2a1b5d65b9d3a2f0c4e5b6a7988776655",
            change=12,
            run_url="https://github.com/archlinux/mkosi-action/actions/runs/123456789",
            name="image",
        ),
        artifact_url="https://github.com/archlinux/mkosi-action/actions/runs/123456789/artifacts/42",
    )


def compared() -> Report:
    """Two images that were given to compare: the same without anything that only builds have."""
    return replace(
        leaky(), title="a.raw and b.raw", builds=(), variations=(), facts=(), notes=(), job=None, artifact_url=None
    )


def _build(image: str, bits: bytes, seconds: float) -> Build:
    same = Artefact(name="image.manifest", size=48_213, sha256=hashlib.sha256(b"manifest").hexdigest())
    main = Artefact(name=image, size=834_834_432, sha256=hashlib.sha256(bits).hexdigest())
    return Build(
        image=image,
        directory=Path("output"),
        artefacts=(main, same),
        seconds=seconds,
        log=Path("output") / "first.log",
        started=_EPOCH + 5000.25,
        packages=PACKAGES,
    )


def _variations() -> tuple[Variation, ...]:
    times = {"first": "2026-07-02 09:14:03 UTC", "second": "2026-07-02 09:15:35 UTC"}
    names = [name for name in VARIATIONS if name != "uid"]
    return tuple(
        replace(one, **times) if one.name == "time" else one
        for one in environment.differences(NORMAL, environment.varied(names))
    )


def _comparison(differences: tuple[Difference, ...]) -> Comparison:
    sides = [
        Side(name=name, format="gpt", size=834_834_432, sha256=hashlib.sha256(bits).hexdigest())
        for name, bits in (("a.raw", b"first"), ("b.raw", b"second"))
    ]
    return Comparison(
        verdict=Verdict.DIFFERENT,
        a=sides[0],
        b=sides[1],
        differing_bytes=5_037,
        first_offset=1_052_676,
        differences=differences,
        disks=(_disk(), _disk()),
        skipped=(Skipped(path=("2:root", "var/lib/app/store.img"), reason="a btrfs file system, which is not read"),),
    )


def _disk() -> Disk:
    esp, root = _ESP, _ROOT
    return Disk(
        size=834_834_432,
        parts=(
            Part(name="1:esp", format="vfat", offset=esp, size=root - esp),
            Part(name="2:root", format="ext4", offset=root, size=834_834_432 - root - 1_048_576),
        ),
    )


def _content(text: str) -> Content:
    data = text.encode()
    return Content(size=len(data), sha256=hashlib.sha256(data).hexdigest(), head=data)


def _change(
    *path: str,
    before: Value,
    after: Value,
    field: Field = Field.CONTENT,
    container: str = "ext4",
    size: int = 0,
    offset: int | None = None,
    name: str | None = None,
    opened: bool = False,
    spans: tuple[tuple[int, int], ...] = (),
) -> Difference:
    return Difference(
        path=path,
        field=field,
        name=name,
        container=container,
        before=before,
        after=after,
        opened=opened,
        bytes=size,
        first_offset=offset,
        spans=spans,
    )


def _shadow(salt: str, filler: str) -> Content:
    return _content(f"root:$y$j9T${salt}${filler * 43}:20636::::::\nbin:!*:20636::::::\n")


def _differences() -> tuple[Difference, ...]:
    modules = [
        f"usr/lib/modules/6.19.6/modules.{name}" for name in ("alias", "builtin.bin", "dep", "softdep", "symbols")
    ]
    first, second = _shadow("uA0BqgWk7hV2T1sLkq3pM0", "x"), _shadow("rP9sLmQ2vYx7KcD4eF5gH1", "y")
    large = [
        Content(size=24_117_248, sha256=hashlib.sha256(bits).hexdigest(), head=b"MZ" + bits) for bits in (b"1", b"2")
    ]
    return (
        _change(
            "2:root", "etc/shadow", before=first, after=second, size=64, offset=9, spans=((_ROOT + 9_437_184, 640),)
        ),
        _change(
            "1:esp", _UKI, ".initrd", "etc/shadow", before=first, after=second, container="cpio", size=64, offset=9
        ),
        *(
            _change("2:root", path, before=0o644, after=0o600, field=Field.MODE, size=2)
            for path in ("etc/os-release", *modules)
        ),
        *(
            _change(
                "1:esp", _UKI, ".initrd", path, before=0o644, after=0o600, field=Field.MODE, container="cpio", size=3
            )
            for path in modules
        ),
        _change(
            "2:root",
            "var/log/alternatives.log",
            before=_content("update-alternatives 2026-07-02 09:14:31: run with --install\n"),
            after=_content("update-alternatives 2026-07-02 09:16:02: run with --install\n"),
            size=1_208,
            offset=31,
        ),
        _change(
            "2:root",
            "var/cache/ldconfig/aux-cache",
            before=Content(size=17_201, sha256="1" * 64, head=b"glibc-ld.so.auxcache-1.0" + b"\1" * 40),
            after=Content(size=17_201, sha256="2" * 64, head=b"glibc-ld.so.auxcache-1.0" + b"\2" * 40),
            size=3_417,
            offset=48,
            spans=((_ROOT + 301_989_888, 8_192), (_ROOT + 306_184_192, 8_192)),
        ),
        _change(
            "2:root",
            "etc/machine-id",
            before=_content("0f9a1f7a5d5c4c2fb1b39a3d3e2a7c11\n"),
            after=_content("5be0f2c1c61b4f9cbb4a6f9c0d7e8123\n"),
            size=30,
            offset=0,
        ),
        _change(
            "2:root",
            "etc/build-info",
            before=_content("builder=image-builder\npath=/var/tmp/ci-toolkit/source\n"),
            after=_content("builder=elsewhere\npath=/var/tmp/ci-toolkit/another/place/source\n"),
            size=41,
            offset=8,
        ),
        _change(
            "2:root",
            "usr/share/app/index.json",
            before=_content('{"order": ["b", "a", "c"], "built": 3}\n'),
            after=_content('{"order": ["a", "c", "b"], "built": 7}\n'),
            size=14,
            offset=12,
            spans=((_ROOT + 402_653_184, 64),),
        ),
        _change(
            "1:esp",
            _UKI,
            before=large[0],
            after=large[1],
            container="vfat",
            opened=True,
            offset=19_443_712,
            spans=((_ESP + 20_971_520, 24_117_248),),
        ),
        _change("1:esp", _UKI, ".initrd", before=large[0], after=large[1], container="pe", opened=True, offset=88),
    )
