"""GITHUB_OUTPUT, GITHUB_STEP_SUMMARY and dotenv, read back as their readers read them."""

import re
import stat
from pathlib import Path

import pytest

from ci_toolkit.errors import ForgeError, UsageError
from ci_toolkit.forges import outputs


def read_as_the_runner(text: str) -> dict[str, str]:
    """The rules of the runner's parser: the first of = and << in a line decides; a delimiter stands alone."""
    found: dict[str, str] = {}
    lines = iter(re.split(r"\r\n|\n|\r", text))
    for line in lines:
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            found[line[:equals]] = line[equals + 1 :]
            continue
        assert heredoc > 0, f"Invalid format {line!r}"
        name, delimiter = line[:heredoc], line[heredoc + 2 :]
        value = []
        while (following := next(lines)) != delimiter:
            value.append(following)
        found[name] = "\n".join(value)
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.touch()
    return path


def test_outputs_are_read_back_whatever_they_hold(file: Path) -> None:
    values = {
        "verdict": "different",
        "report-json": "/a b/c=d",
        "text": "one\ntwo<<EOF\nverdict=identical\nEOF\n",
        "empty": "",
        "name": "\N{PACKAGE}",
    }
    outputs.put_outputs(str(file), values)
    assert read_as_the_runner(file.read_text(encoding="utf-8")) == values


def test_outputs_are_added_to_those_of_others_even_after_an_open_line(file: Path) -> None:
    file.write_text("theirs=1", encoding="utf-8")
    outputs.put_outputs(str(file), {"ours": "2"})
    outputs.put_outputs(str(file), {"more": "3"})
    assert read_as_the_runner(file.read_text(encoding="utf-8")) == {"theirs": "1", "ours": "2", "more": "3"}


def test_a_value_that_is_not_unicode_is_written_as_escapes(file: Path) -> None:
    outputs.put_outputs(str(file), {"path": "a\udcff"})
    assert read_as_the_runner(file.read_text(encoding="utf-8")) == {"path": r"a\udcff"}


def test_no_two_values_have_one_delimiter(file: Path) -> None:
    outputs.put_outputs(str(file), {f"value{number}": "x" for number in range(20)})
    assert len(set(re.findall(r"<<(\S+)", file.read_text(encoding="utf-8")))) == 20


@pytest.mark.parametrize("name", ["", "a=b", "a<<b", "a\nb", "1a", "a b", "n\N{LATIN SMALL LETTER E WITH ACUTE}"])
def test_a_name_that_is_none_is_refused_and_nothing_is_written(file: Path, name: str) -> None:
    with pytest.raises(UsageError):
        outputs.put_outputs(str(file), {"good": "1", name: "2"})
    assert file.read_text(encoding="utf-8") == ""


def test_a_value_that_knows_the_delimiter_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_toolkit.forges.outputs.uuid.uuid4", lambda: "known")
    with pytest.raises(UsageError):
        outputs.put_outputs(str(file), {"a": "ghadelimiter_known\nb=c"})
    assert file.read_text(encoding="utf-8") == ""


@pytest.mark.parametrize("write", [lambda f: outputs.put_outputs(f, {"a": "b"}), lambda f: outputs.summarise(f, "a")])
def test_a_file_that_the_runner_did_not_make_is_not_made_by_us(tmp_path: Path, write: object) -> None:
    assert callable(write)
    with pytest.raises(ForgeError, match="not there"):
        write(str(tmp_path / "missing"))
    assert list(tmp_path.iterdir()) == []


def test_the_file_stays_the_same_file(file: Path) -> None:
    inode = file.stat()[stat.ST_INO]
    outputs.summarise(str(file), "one")
    outputs.put_outputs(str(file), {"a": "b"})
    assert file.stat()[stat.ST_INO] == inode


def test_a_summary_is_added_to_what_is_there(file: Path) -> None:
    file.write_text("# Theirs\n", encoding="utf-8")
    outputs.summarise(str(file), "# Ours")
    assert file.read_text(encoding="utf-8") == "# Theirs\n# Ours\n"


@pytest.mark.parametrize("there", [0, 600_000, 1_048_500, 1_048_576, 1_048_577])
def test_a_summary_never_makes_the_steps_summary_larger_than_a_mebibyte(file: Path, there: int) -> None:
    file.write_bytes(b"x" * there)
    outputs.summarise(str(file), "\N{PACKAGE} usr/lib/modules\n" * 60_000)
    data = file.read_bytes()
    assert there <= len(data) <= max(1024 * 1024, there)
    assert data.decode("utf-8")
    if there < 1_000_000:
        assert data.endswith(b"*The rest is cut: a step's summary ends at 1 MiB.*\n")
        assert len(data) > 1_048_000


def test_a_summary_that_just_fits_is_whole(file: Path) -> None:
    text = "x" * 1023 + "\n"
    outputs.summarise(str(file), text * 1023)
    assert file.read_text(encoding="utf-8") == text * 1023


def test_a_summary_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ForgeError, match="Is a directory"):
        outputs.summarise(str(tmp_path), "text")
    with pytest.raises(ForgeError, match="Is a directory"):
        outputs.put_outputs(str(tmp_path), {"a": "b"})


def test_a_dotenv_report_holds_what_gitlab_can_read_and_names_the_rest(tmp_path: Path) -> None:
    values = {
        "VERDICT": "different",
        "PATH_A": "a b",
        "TEXT": "a\nb",
        "DIGEST": "sha256:0a",
        "EMPTY": "",
        "QUOTED": '"x"',
    }
    left_out = outputs.write_dotenv(tmp_path / "report.env", values)
    assert left_out == ("PATH_A", "TEXT", "QUOTED")
    assert (tmp_path / "report.env").read_bytes() == b"VERDICT=different\nDIGEST=sha256:0a\nEMPTY=\n"


def test_a_dotenv_report_stays_below_gitlabs_limits(tmp_path: Path) -> None:
    left_out = outputs.write_dotenv(tmp_path / "many.env", {f"V{number}": "x" for number in range(25)})
    assert left_out == tuple(f"V{number}" for number in range(20, 25))
    left_out = outputs.write_dotenv(tmp_path / "large.env", {"A": "x" * 5000, "B": "y" * 200, "C": "z"})
    assert left_out == ("B",)
    assert (tmp_path / "large.env").stat().st_size <= 5 * 1024


def test_a_dotenv_name_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        outputs.write_dotenv(tmp_path / "report.env", {"report-json": "x"})
    assert list(tmp_path.iterdir()) == []
