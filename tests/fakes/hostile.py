"""Names as somebody would choose them who wants more from a report than to be read, and reports full of them."""

from dataclasses import replace
from typing import Final

import sample_reports

from ci_toolkit.boot.outcome import Boot, Check
from ci_toolkit.compare.comparison import Skipped, Verdict
from ci_toolkit.compare.difference import Content, Field, display
from ci_toolkit.host.environment import Variation
from ci_toolkit.mkosi.build import Artefact
from ci_toolkit.mkosi.manifest import Package
from ci_toolkit.reports.change import Change, Moved, Packages
from ci_toolkit.reports.files import Files, Row
from ci_toolkit.reports.report import Converted, Failure, Report

EVIL: Final = "evil.example"
NAMES: Final = (
    f"[click](https://{EVIL})",
    f"![x](https://{EVIL}/x.png)",
    f"[ref]: https://{EVIL}",
    f"<https://{EVIL}>",
    f"https://{EVIL}/?a=b&c=d",
    f"www.{EVIL}",
    EVIL,
    f"someone@{EVIL}",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</details></code></pre></style></title><h1>x</h1>",
    "<!-- hidden",
    "&lt;b&gt;&#64;admin",
    "@admin and (@org/team)",
    "`code` ``more``",
    "`",
    "\\`",
    "a|b|c",
    "a\nb\r\n# heading",
    "\n\n::set-env name=PATH::/evil",
    "::set-env name=PATH::/evil",
    "  ::error::x",
    "##[command]x",
    "##vso[task.setvariable variable=x]y",
    f"\x1b[31mred\x1b]8;;https://{EVIL}\x07x\x1b[2J",
    "\x9b31m\x08\x7f\x00",
    "\u202egnp.exe\u2066\u200b",
    "\u2028\u2029\u2800\u3164",
    "\udcff\ud800",
    "x" * 10_000,
    "é " * 5_000,
    "#123",
    "GH-123",
    "org/name#123",
    "!1 %2 ~bug $3 &4 [vulnerability:1]",
    "/close",
    "```\n/close\n```",
    "~~~\n/close",
    ":+1: :tada:",
    "$x$ $$y$$ $`z`$",
    "**bold** _it_ __b__ ~~no~~",
    "- item",
    "1. one",
    "> quote",
    "    indented",
    "---",
    "===",
    "3d962cd2a1b5d65b9d3a2f0c4e5b6a7988776655",
    "javascript:alert(1)",
    '" onmouseover="alert(1)" x=\'',
    "",
    "   ",
)


def built(name: str) -> Report:
    """Two builds of an image in which everything that has a name is called NAME."""
    report = compared(name)
    sample = sample_reports.leaky()
    assert sample.job is not None
    builds = [
        replace(
            build,
            image=name,
            artefacts=(
                replace(build.artefacts[0], name=name),
                replace(build.artefacts[1], name=name + "2", sha256=f"{index}" * 64),
            ),
            packages=(Package(name=name, version=name, architecture=name),),
        )
        for index, build in enumerate(sample.builds)
    ]
    moved = Moved(name=name, architecture=name, before=name, after=name + "0")
    packages = Packages(added=builds[0].packages or (), removed=builds[0].packages or (), moved=(moved,))
    files = Files(
        rows=(Row(path=name, before=1, after=None), Row(path=f"{name}/", before=None, after=2, count=3)),
        all_rows=2,
        added=3,
        removed=1,
    )
    change = Change(name=name, commit=name, before=1, after=2, same_bits=False, packages=packages, files=files)
    return replace(
        report,
        variant=name,
        changes=(change, change),
        builds=tuple(builds),
        variations=(
            Variation(name=name, first=name, second=name),
            Variation(name=name, first="", second="", skipped=name),
        ),
        facts=((name, name),),
        notes=(name,),
        job=replace(sample.job, repository=name, commit=name, name=name, run_url=name),
        artifact_url=name,
        formats=(
            Converted(format="qcow2", files=(Artefact(name=name, size=1, sha256="0" * 64),)),
            Converted(format="vmdk", reason=name),
        ),
        boots=(_started(name), replace(_started(name), firmware="bios", reason=name)),
    )


def _started(name: str) -> Boot:
    bad = Check(name=name, exit_code=None, output=f"{name}\n{name}", reason=name)
    return Boot(
        firmware="uefi",
        accelerator=name,
        sign=name,
        state=name,
        startup=name,
        failed_units=(name, name),
        ports=(name,),
        checks=(bad, replace(bad, exit_code=0)),
        files=(name,),
        notes=(name,),
    )


def failed(name: str) -> Report:
    """A build that failed, and whatever it says is NAME."""
    return replace(
        compared(name),
        verdict=Verdict.FAILED,
        comparison=None,
        findings=(),
        failure=Failure(exit_code=4, message=f"{name}\n{name}\n", hint=name),
    )


def compared(name: str) -> Report:
    """Two given images in which everything that has a name is called NAME."""
    sample = sample_reports.compared()
    assert sample.comparison is not None
    path = (name, name)
    differences = tuple(
        replace(
            one,
            path=path,
            container=name,
            name=name,
            field=field,
            before=before,
            after=after,
            diffoscope=f"--- {name}\n+++ {name}\n│ -{name}\n{name}",
        )
        for one in sample.comparison.differences[:1]
        for field, before, after in (
            (Field.TARGET, name, "x"),
            (Field.XATTR, name.encode("utf-8", "surrogatepass"), None),
            (Field.HEADER, (name,), None),
            (Field.CONTENT, _content(name), _content(name + "x")),
        )
    )
    first, *others = sample.findings
    shown = (display(path), name)
    findings = (
        replace(first, title=name, explanation=name, fix=f"# in {name}\n[{name}]\n{name}\n# {name}", paths=shown),
        *(replace(one, title=name, explanation=name, fix=name, paths=shown, cause=name) for one in others[:1]),
        replace(first, cause=name, title=name, explanation=name, source=name, consequence_of=("umask", name)),
        replace(others[-1], cause="unknown", title=name, fix="", paths=shown, consequence_of=()),
    )
    return replace(
        sample,
        title=name,
        comparison=replace(
            sample.comparison,
            a=replace(sample.comparison.a, name=name, format=name),
            b=replace(sample.comparison.b, name=name, format=name),
            differences=differences,
            skipped=(Skipped(path=path, reason=name),),
        ),
        findings=findings,
    )


def _content(text: str) -> Content:
    head = text.encode("utf-8", "surrogatepass")
    return Content(size=len(head), sha256="0" * 64, head=head)
