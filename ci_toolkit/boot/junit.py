"""The outcome as JUnit's XML, which GitLab and others show: a test suite for each firmware, a test for each check."""

import xml.etree.ElementTree as ET
from typing import Final

from ci_toolkit.boot.outcome import Boot, Check, Outcome
from ci_toolkit.console import printable

# Of the output of a check that failed; the whole is in boot.json.
_OUTPUT_MAX: Final = 16 << 10


def render(outcome: Outcome) -> str:
    """Return OUTCOME as XML. What came from the guest has its control characters escaped, which XML forbids."""
    root = ET.Element("testsuites", name="ci-toolkit boot")
    root.extend(suites(outcome))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def suites(outcome: Outcome) -> list[ET.Element]:
    """Return a test suite for each firmware."""
    return [_suite(outcome.image, boot) for boot in outcome.boots]


def _suite(image: str, boot: Boot) -> ET.Element:
    tests = 1 + len(boot.checks)
    failures = (not boot.booted) + sum(not check.passed for check in boot.checks)
    name = f"{printable(image)}, {boot.firmware.upper()}"
    suite = ET.Element("testsuite", name=name, tests=str(tests), failures=str(failures), errors="0")
    case = ET.SubElement(suite, "testcase", name="it comes up", classname=name, time=f"{boot.seconds:.1f}")
    if not boot.booted:
        ET.SubElement(case, "failure", message=printable(boot.reason))
    for check in boot.checks:
        _case(suite, name, check)
    return suite


def _case(suite: ET.Element, classname: str, check: Check) -> None:
    case = ET.SubElement(suite, "testcase", name=printable(check.name), classname=classname)
    text = "\n".join(map(printable, check.output[-_OUTPUT_MAX:].splitlines()))
    if not check.passed:
        told = check.reason or f"exit code {check.exit_code}"
        failure = ET.SubElement(case, "failure", message=printable(told))
        failure.text = text
    elif text:
        ET.SubElement(case, "system-out").text = text
