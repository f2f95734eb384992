import pytest

from ci_toolkit.errors import UsageError
from ci_toolkit.runners import limit


@pytest.mark.parametrize(
    ("text", "minutes"), [("1", 1.0), ("0.5", 0.5), ("none", None), ("0", None), ("0.0", None), (" 90 ", 90.0)]
)
@pytest.mark.parametrize("emulated", [False, True])
def test_a_number_is_minutes_whatever_the_machine(text: str, minutes: float | None, emulated: bool) -> None:
    assert limit.minutes(text, emulated=emulated) == minutes


def test_an_emulated_machine_gets_longer() -> None:
    native, emulated = (limit.minutes("auto", emulated=one) for one in (False, True))
    assert native is not None and emulated is not None
    assert emulated >= 5 * native


@pytest.mark.parametrize("text", ["", "soon", "-1", "nan", "inf", "1h", "-0.5"])
def test_what_is_no_number_of_minutes_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="time-limit"):
        limit.minutes(text, emulated=False)
