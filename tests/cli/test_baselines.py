"""Which places the setting `baseline` names."""

from pathlib import Path

import pytest

from ci_toolkit.cli import baselines
from ci_toolkit.cli.baselines import Place


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        (" ,\n", []),
        ("main/report.json", [("", "main/report.json")]),
        ("main=main/report.json", [("main", "main/report.json")]),
        ("main=a, v1.4=b", [("main", "a"), ("v1.4", "b")]),
        ("main=a\nv1.4 = b\n", [("main", "a"), ("v1.4", "b")]),
        ("a,b", [("a", "a"), ("b", "b")]),
        ("main=a,b", [("main", "a"), ("b", "b")]),
        ("main=a=b", [("main", "a=b")]),
        ("main=", [("", "main=")]),
    ],
)
def test_each_place_has_its_name_and_its_path(text: str, found: list[tuple[str, str]]) -> None:
    assert baselines.parse(text) == tuple(Place(name=name, path=Path(path)) for name, path in found)


@pytest.mark.parametrize("name", ["a,b", "x=y", "main=a, v1=b"])
def test_a_path_that_is_there_is_one_place_whatever_it_is_called(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()
    assert baselines.parse(name) == (Place(name="", path=Path(name)),)
