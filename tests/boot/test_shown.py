"""The outcome for people and for JUnit's readers: what a guest says can do nothing there."""

import xml.etree.ElementTree as ET

from ci_toolkit.boot import junit, table
from ci_toolkit.boot.outcome import Boot, Check, Outcome

EVIL = "\x1b]0;x\x07\x00]]></failure><x>&\n::set-env name=A::b \u202e"
HOSTILE = Outcome(
    image=EVIL,
    boots=(
        Boot(
            firmware="uefi",
            accelerator="kvm",
            sign="the guest agent",
            seconds=7.25,
            startup=EVIL,
            failed_units=(EVIL,) * 12,
            ports=(),
            checks=(Check(name=EVIL, exit_code=3, output=EVIL * 3), Check(name="good", exit_code=0, output=EVIL)),
            notes=(EVIL,),
        ),
        Boot(firmware="bios", accelerator="kvm", reason=EVIL),
    ),
)


def test_junit_counts_each_firmware_and_each_check() -> None:
    root = ET.fromstring(junit.render(HOSTILE))
    assert [(suite.get("tests"), suite.get("failures")) for suite in root] == [("3", "1"), ("1", "1")]
    cases = [case.get("name") for case in root.iter("testcase")]
    assert (cases[0], cases[2], cases[3]) == ("it comes up", "good", "it comes up")
    failures = [failure.get("message") or "" for failure in root.iter("failure")]
    assert failures[0] == "exit code 3"
    assert failures[1].startswith("\\x1b]0;x\\x07\\x00]]></failure>")
    text = junit.render(HOSTILE)
    assert [one for one in text if one not in "\n\t" and not one.isprintable()] == []


def test_the_table_tells_all_in_plain_characters() -> None:
    text = table.render(HOSTILE, ["UEFI: " + EVIL], width=120, colour=False)
    assert [one for one in text if one != "\n" and not one.isprintable()] == []
    for told in ("UEFI (kvm)", "up", "7.2", "1 of 2 passed", "and 2 more", "BIOS (kvm)", "Changed since the baseline"):
        assert told in text


def test_without_changes_the_baseline_is_said_to_be_the_same() -> None:
    outcome = Outcome(image="x", boots=(Boot(firmware="uefi", accelerator="kvm", sign="x", seconds=1),))
    assert "nothing but the times" in table.render(outcome, [], width=80, colour=False)
    assert "baseline" not in table.render(outcome, None, width=80, colour=False)
