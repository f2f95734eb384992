import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import ci_toolkit.reports
from ci_toolkit.ci.job import Job, Provider
from ci_toolkit.host.capabilities import Capabilities, Capability, Leak
from ci_toolkit.host.hardware import Hardware
from ci_toolkit.reports import doctor
from ci_toolkit.reports.doctor import Diagnosis


def capability(name: str, reason: str, *, available: bool = True) -> Capability:
    return Capability(name=name, available=available, reason=reason, why=f"why {name}", fix=f"fix {name}")


def leak(name: str, found: str, *, leaks: bool) -> Leak:
    return Leak(name=name, found=found, normal="normal", leaks=leaks, why=f"why {name}", fix=f"fix {name}")


@pytest.fixture
def diagnosis() -> Diagnosis:
    return Diagnosis(
        job=Job(provider=Provider.GITLAB, repository="42", change=7, may_not_write_because="a job token cannot"),
        hardware=Hardware(
            processors=1.5,
            model="Some CPU",
            architecture="x86_64",
            memory_bytes=16_000_000_000,
            free_memory_bytes=9_900_000_000,
            kernel="Linux 6.1",
            clock="tsc",
        ),
        capabilities=Capabilities(
            capabilities=(
                capability("kvm", "the guest hangs", available=False),
                capability("user-namespace-full", "tried, works"),
                capability("tool:git", "git 2.53"),
                capability("brand-new", "not in any group"),
                capability("mkosi", "mkosi is not installed", available=False),
            ),
            leaks=(leak("umask", "0000", leaks=True), leak("zone", "UTC", leaks=False)),
        ),
        runners=(("unprivileged", ("mkosi: not installed",)), ("container", ()), ("vm", ("no", "and no"))),
        on_request=(("single-id", ()),),
    )


def text(diagnosis: Diagnosis, *, explain: bool = False) -> str:
    return doctor.to_text(diagnosis, width=100, colour=False, explain=explain)


def test_the_first_runner_without_an_obstacle_is_chosen(diagnosis: Diagnosis) -> None:
    assert diagnosis.chosen == "container"
    assert replace(diagnosis, runners=diagnosis.runners[:1]).chosen is None


def test_the_machine_is_told_in_a_line(diagnosis: Diagnosis) -> None:
    line = next(line for line in text(diagnosis).splitlines() if line.startswith("Machine"))
    assert line.split(maxsplit=1)[1] == "1.5 × Some CPU; 16.0 GB of memory, 9.9 free; Linux 6.1 x86_64, clock tsc"


def test_a_runner_that_has_to_be_asked_for_is_shown_as_that(diagnosis: Diagnosis) -> None:
    assert "!  single-id               only when asked for (--runner single-id): owners" in text(diagnosis)
    refused = text(replace(diagnosis, on_request=(("single-id", ("mkosi: too old",)),)))
    assert "!  single-id               mkosi: too old" in refused


def test_the_json_is_what_its_schema_says(diagnosis: Diagnosis) -> None:
    path = Path(str(ci_toolkit.reports.__file__)).with_name("doctor.schema.json")
    schema = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    document: dict[str, Any] = json.loads(doctor.to_json(diagnosis))
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["runner"] == "container"
    assert [one["name"] for one in document["runners"] if not one["auto"]] == ["single-id"]
    assert document["ci"]["change"] == 7
    assert [one["name"] for one in document["capabilities"]] == [
        "kvm",
        "user-namespace-full",
        "tool:git",
        "brand-new",
        "mkosi",
    ]


def test_the_text_names_the_system_the_runner_and_every_obstacle(diagnosis: Diagnosis) -> None:
    shown = text(diagnosis)
    assert "GitLab, repository 42, change 7, may not comment: a job token cannot" in shown
    assert re.search(r"^Runner +container$", shown, re.MULTILINE)
    assert "mkosi: not installed" in shown
    assert re.search(r"✗ +vm +no\n +and no\n", shown)


def test_what_is_missing_is_explained_and_what_works_is_not(diagnosis: Diagnosis) -> None:
    shown = text(diagnosis)
    for words in ("why kvm", "fix kvm", "why mkosi", "fix mkosi", "why umask", "fix umask", "0000 → normal"):
        assert words in shown
    for words in ("why user-namespace-full", "why zone"):
        assert words not in shown
        assert words in text(diagnosis, explain=True)


def test_what_a_build_can_do_without_is_marked_apart(diagnosis: Diagnosis) -> None:
    shown = text(diagnosis)
    assert re.search(r"^! +kvm", shown, re.MULTILINE)
    assert re.search(r"^✗ +mkosi", shown, re.MULTILINE)


def test_a_capability_of_no_group_is_still_shown(diagnosis: Diagnosis) -> None:
    assert "not in any group" in text(diagnosis)


def test_groups_keep_their_own_order(diagnosis: Diagnosis) -> None:
    heading, members = doctor.grouped(diagnosis.capabilities.capabilities)[0]
    assert heading == "What a runner needs"
    assert [one.name for one in members] == ["user-namespace-full", "mkosi", "kvm"]


def test_a_machine_of_ones_own_is_not_told_that_it_may_not_comment(diagnosis: Diagnosis) -> None:
    own = Job(provider=Provider.LOCAL, may_not_write_because="no CI system runs this")
    assert "may not comment" not in text(replace(diagnosis, job=own))


def test_no_runner_is_said(diagnosis: Diagnosis) -> None:
    assert "none fits this machine" in text(replace(diagnosis, runners=(("vm", ("no",)),)))


def test_lines_are_as_wide_as_asked_and_plain_without_colour(diagnosis: Diagnosis) -> None:
    shown = text(diagnosis)
    assert max(map(len, shown.splitlines())) <= 100
    assert "\x1b" not in shown
    assert "\x1b[" in doctor.to_text(diagnosis, width=100, colour=True)


def test_foreign_words_neither_move_the_cursor_nor_obey_as_markup(diagnosis: Diagnosis) -> None:
    hostile = Capabilities(
        capabilities=(capability("kvm", "\x1b[2J[bold]host[/bold]\r::set-env name=X::", available=False),),
        leaks=(leak("hostname", "evil\u202ename\nsecond", leaks=True),),
    )
    shown = text(replace(diagnosis, capabilities=hostile))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b[2J[bold]host[/bold]\\x0d::set-env" in shown
    assert not any(line.lstrip().startswith("::") for line in shown.splitlines())
