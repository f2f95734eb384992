from ci_toolkit.releases import plan
from ci_toolkit.releases.plan import Kind


def planned() -> tuple[plan.Step, ...]:
    return plan.steps(
        ("cloud", "iso"),
        ("qcow2",),
        ("github:a/b", "/srv"),
        firmware=("bios", "uefi"),
        signs=True,
        sigstore=True,
        prunes=True,
    )


def test_nothing_is_published_before_all_of_it_is_everywhere() -> None:
    kinds = [step.kind for step in planned()]
    last_upload = max(position for position, kind in enumerate(kinds) if kind is Kind.UPLOAD)
    assert all(kind is not Kind.PUBLISH for kind in kinds[:last_upload])
    signed = [position for position, kind in enumerate(kinds) if kind is Kind.SIGN]
    assert len(signed) == 2
    assert kinds.index(Kind.COLLECT) < min(signed)
    assert max(signed) < kinds.index(Kind.UPLOAD)
    assert kinds.index(Kind.PRUNE) > max(position for position, kind in enumerate(kinds) if kind is Kind.PUBLISH)


def test_nothing_is_collected_before_every_image_has_started() -> None:
    steps = planned()
    kinds = [step.kind for step in steps]
    started = [position for position, kind in enumerate(kinds) if kind is Kind.BOOT]
    assert [steps[position].told for position in started] == [
        "start cloud with bios, uefi",
        "start iso with bios, uefi",
    ]
    assert max(started) < kinds.index(Kind.COLLECT)


def test_what_is_looked_up_is_there_when_the_notes_are_written() -> None:
    kinds = [
        step.kind
        for step in plan.steps(("cloud",), (), ("/srv",), advises=True, sigstore=False, signs=False, prunes=False)
    ]
    assert kinds[1:3] == [Kind.ADVISORIES, Kind.COLLECT]


def test_every_step_has_a_name_of_its_own() -> None:
    names = [step.name for step in planned()]
    assert len(set(names)) == len(names)


def test_a_step_that_is_done_is_not_left() -> None:
    steps = planned()
    for count in range(len(steps) + 1):
        assert plan.remaining(steps, [step.name for step in steps[:count]]) == steps[count:]


def test_what_is_not_asked_for_is_no_step() -> None:
    kinds = {step.kind for step in plan.steps(("cloud",), (), ("/srv",), signs=False, sigstore=False, prunes=False)}
    assert kinds == {Kind.BUILD, Kind.COLLECT, Kind.UPLOAD, Kind.PUBLISH}
