import pytest

from ci_toolkit.errors import HostError
from ci_toolkit.host.capabilities import Capabilities, Capability
from ci_toolkit.runners import choose, container, single_id, unprivileged, vm

NAMES = (
    "user-namespace-full",
    "user-namespace-single",
    "mount-in-namespace",
    "mkosi",
    "container-engine",
    "qemu",
    "virtiofsd",
    "guest-kernel",
)


def machine(*missing: str) -> Capabilities:
    """A machine that can do all but what is MISSING."""
    return Capabilities(
        capabilities=tuple(
            Capability(name=name, available=name not in missing, reason=f"no {name} here") for name in NAMES
        ),
        leaks=(),
    )


def test_auto_takes_the_least_demanding_runner_that_works() -> None:
    assert choose.choose(machine()).NAME == "unprivileged"
    assert choose.choose(machine("mkosi")).NAME == "container"
    assert choose.choose(machine("container-engine")).NAME == "unprivileged"


def test_a_runner_that_is_wanted_is_taken_though_another_comes_first() -> None:
    assert choose.choose(machine(), "container").NAME == "container"


def test_where_nothing_works_every_runner_gives_each_of_its_reasons() -> None:
    with pytest.raises(HostError) as refused:
        choose.choose(machine(*NAMES))
    assert refused.value.message.splitlines()[1:] == [
        "unprivileged: user-namespace-full: no user-namespace-full here",
        "unprivileged: mount-in-namespace: no mount-in-namespace here",
        "unprivileged: mkosi: no mkosi here",
        "container: container-engine: no container-engine here",
        "vm: qemu: no qemu here",
        "vm: virtiofsd: no virtiofsd here",
        "vm: guest-kernel: no guest-kernel here",
    ]
    assert "doctor" in (refused.value.hint or "")


def test_a_wanted_runner_that_does_not_work_is_not_replaced_by_another() -> None:
    with pytest.raises(HostError) as refused:
        choose.choose(machine("container-engine"), "container")
    assert refused.value.message.splitlines()[1:] == ["container: container-engine: no container-engine here"]


def test_the_vm_is_what_is_left() -> None:
    assert choose.choose(machine("user-namespace-full", "container-engine")).NAME == "vm"


def test_the_one_with_other_owners_is_never_taken_unasked_but_named_where_nothing_else_works() -> None:
    with pytest.raises(HostError) as refused:
        choose.choose(machine("user-namespace-full", "container-engine", "qemu"))
    assert refused.value.message.splitlines()[1:] == [
        "unprivileged: user-namespace-full: no user-namespace-full here",
        "container: container-engine: no container-engine here",
        "vm: qemu: no qemu here",
        "single-id: would work, but is only taken when asked for (--runner single-id): " + single_id.WARNING,
    ]


def test_it_is_taken_when_asked_for_and_gives_its_own_reasons() -> None:
    assert choose.choose(machine("user-namespace-full"), "single-id").NAME == "single-id"
    with pytest.raises(HostError) as refused:
        choose.choose(machine("mkosi"), "single-id")
    assert refused.value.message.splitlines()[1:] == ["single-id: mkosi: no mkosi here"]


def test_why_the_runners_before_it_were_not_taken_is_told() -> None:
    here = machine("user-namespace-full", "mkosi", "container-engine")
    assert choose.passed_over(here, choose.choose(here)) == (
        "unprivileged: user-namespace-full: no user-namespace-full here; mkosi: no mkosi here",
        "container: container-engine: no container-engine here",
    )
    assert choose.passed_over(machine(), choose.choose(machine())) == ()


def test_the_doctor_gets_the_verdict_on_every_runner_in_order() -> None:
    assert choose.verdicts(machine("mkosi")) == (
        ("unprivileged", ("mkosi: no mkosi here",)),
        ("container", ()),
        ("vm", ()),
    )


def test_every_runner_is_a_choice_of_the_setting() -> None:
    from ci_toolkit.settings import SETTINGS

    setting = next(setting for setting in SETTINGS if setting.name == "runner")
    assert setting.choices == ("auto", *(runner.NAME for runner in (*choose.RUNNERS, *choose.ON_REQUEST)))
    assert (unprivileged, container, vm) == choose.RUNNERS
    assert choose.verdicts(machine(), choose.ON_REQUEST) == (("single-id", ()),)
