import json
import re
from pathlib import Path

import pytest

from ci_toolkit.errors import UsageError
from ci_toolkit.mkosi import config, matrix
from ci_toolkit.mkosi.config import ImageConfig
from ci_toolkit.mkosi.matrix import Question


def define(place: Path, *profiles: str) -> Path:
    place.mkdir(parents=True)
    (place / "mkosi.conf").touch()
    for name in profiles:
        path = place / "mkosi.profiles" / name
        path.parent.mkdir(exist_ok=True)
        path.touch() if name.endswith(".conf") else path.mkdir()
    return place


def image(**fields: str) -> ImageConfig:
    known = {"Distribution": "debian", "Release": "trixie", "Format": "disk", "Architecture": "x86-64"}
    (parsed,) = config.parse_summary(json.dumps({"Images": [known | fields]}))
    return parsed


def test_a_directory_that_is_a_definition_is_the_only_one(tmp_path: Path) -> None:
    define(tmp_path / "images")
    define(tmp_path / "images/inside")
    assert matrix.definitions(tmp_path / "images") == (tmp_path / "images",)


def test_definitions_right_below_a_directory_are_found_in_order(tmp_path: Path) -> None:
    for name in ("b", "a", "c/deeper"):
        define(tmp_path / name)
    assert matrix.definitions(tmp_path) == (tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_where_nothing_is_defined_that_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=name):
        matrix.definitions(tmp_path / name)


def test_a_profile_is_a_file_or_a_directory(tmp_path: Path) -> None:
    assert matrix.profiles(define(tmp_path / "a", "server.conf", "desktop")) == ("desktop", "server")
    assert matrix.profiles(define(tmp_path / "b")) == ()


def test_each_definition_is_asked_without_and_with_each_of_its_profiles(tmp_path: Path) -> None:
    one, other = define(tmp_path / "a", "server.conf"), define(tmp_path / "b")
    assert matrix.questions(tmp_path, (), ()) == (
        Question(directory=one),
        Question(directory=one, profile="server"),
        Question(directory=other),
    )


def test_profiles_that_are_asked_for_are_taken_where_they_are(tmp_path: Path) -> None:
    one = define(tmp_path / "a", "server.conf", "desktop")
    define(tmp_path / "b")
    found = matrix.questions(tmp_path, ("server", "other"), ("x86-64", "arm64"))
    assert found == tuple(
        Question(directory=one, profile="server", architecture=architecture) for architecture in ("x86-64", "arm64")
    )


def test_a_row_says_what_to_build_and_how_to_call_it() -> None:
    asked = Question(directory=Path("images/debian"), profile="server", architecture="arm64")
    (row,) = matrix.rows([(asked, image(Architecture="arm64"))])
    assert (row.name, row.artifact) == ("debian (server, arm64)", "images-debian-server-arm64")
    assert (row.directory, row.profile, row.architecture) == ("images/debian", "server", "arm64")
    assert row.arguments == ("--architecture=arm64",)


def test_what_leaves_no_image_has_no_row() -> None:
    assert matrix.rows([(Question(directory=Path("a")), image(Format="none"))]) == ()


def test_the_directory_itself_is_called_as_its_image() -> None:
    (row,) = matrix.rows([(Question(directory=Path()), image(ImageId="cloud"))])
    assert row.name == "cloud"
    assert (row.directory, row.artifact) == (".", "cloud-x86-64")


def test_every_artifact_has_a_name_of_its_own_that_every_system_takes() -> None:
    places = ("a b", "a:b", "A|B", 'x"<>*?\\\r\n', "ü" * 300, "...", "a" * 300)
    found = matrix.rows((Question(directory=Path("images") / place), image(Architecture="")) for place in places)
    names = [row.artifact for row in found]
    assert len({name.lower() for name in names}) == len(places)
    assert [name for name in names if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,109}", name)] == []
