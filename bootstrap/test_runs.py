"""Run the tests, quick ones first, and close with what was skipped and why."""

import subprocess
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bootstrap.workplace import Workplace

# Each kind with pytest's words for it.
_KINDS: Final = (
    ("quick", ("-m", "not integration and not slow", "-n", "auto")),
    ("unit", ("-m", "not integration", "-n", "auto")),
    ("integration", ("-m", "integration")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What one run of pytest counted; `reasons` are those of its skipped tests."""

    passed: int
    failed: int
    seconds: float
    reasons: Counter[str]


def run(workplace: Workplace, kinds: tuple[str, ...]) -> int:
    """Run the tests of KINDS, even when an earlier kind failed, and return the first exit code that is not 0."""
    results = workplace.cache / "tests"
    results.mkdir(exist_ok=True)
    codes, tallies = [], []
    for kind, words in _KINDS:
        if kind not in kinds:
            continue
        report = results / f"{kind}.xml"
        report.unlink(missing_ok=True)
        print(f"\n{kind} tests", flush=True)
        argv = [workplace.python, "-m", "pytest", "-q", *words, f"--junitxml={report}"]
        done = subprocess.run(argv, env=workplace.programs.environ, cwd=workplace.root, check=False)
        codes.append(done.returncode)
        tallies.append(read(report))
    print(closing(tallies), flush=True)
    return next((code for code in codes if code != 0), 0)


def read(report: Path) -> Tally:
    """Read a JUnit file that pytest wrote; a run that wrote none counts as one failure."""
    try:
        root = ET.parse(report).getroot()
    except (OSError, ET.ParseError):
        return Tally(passed=0, failed=1, seconds=0, reasons=Counter())
    suites = list(root.iter("testsuite"))
    total, failed, skipped = (
        sum(int(suite.get(name, "0")) for suite in suites for name in names)
        for names in (("tests",), ("failures", "errors"), ("skipped",))
    )
    reasons = Counter(
        element.get("message", "").removeprefix("Skipped: ") or "no reason given"
        for element in root.iter("skipped")
        if element.get("type") != "pytest.xfail"
    )
    seconds = sum(float(suite.get("time", "0")) for suite in suites)
    return Tally(passed=total - failed - skipped, failed=failed, seconds=seconds, reasons=reasons)


def closing(tallies: list[Tally]) -> str:
    """Return the last section: skipped tests by reason, then the sum of all runs."""
    reasons = sum((tally.reasons for tally in tallies), Counter[str]())
    lines = ["", "Skipped, and why:"] if reasons else ["", "Nothing was skipped."]
    lines += [f"  {count:4} x {reason}" for reason, count in sorted(reasons.items())]
    passed, failed = sum(tally.passed for tally in tallies), sum(tally.failed for tally in tallies)
    counts = [f"{failed} failed"] if failed else []
    counts += [f"{passed} passed", f"{reasons.total()} skipped"]
    return "\n".join([*lines, "", f"{', '.join(counts)} in {sum(tally.seconds for tally in tallies):.0f} s"])
