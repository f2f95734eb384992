"""The causes that users may rely on: all of the catalogue, each shown by a real program, and told in docs/causes.md."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ci_toolkit.compare.rules.catalogue import BESIDES, CATALOGUE
from ci_toolkit.compare.rules.table import RULES

ROOT = Path(__file__).parents[2]
IDENTIFIERS = [rule.cause.identifier for rule in RULES]


def toolkit(*arguments: str) -> str:
    argv = (sys.executable, "-m", "ci_toolkit", *arguments)
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def claims() -> Iterator[str]:
    """The causes that tests claim to show: the first argument of @shows, which checks it while the test runs."""
    for path in (ROOT / "tests/compare/rules").glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for call in node.decorator_list:
                    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "shows":
                        (identifier,) = call.args
                        assert isinstance(identifier, ast.Constant) and isinstance(identifier.value, str)
                        yield identifier.value


def test_every_rule_is_shown_by_what_a_real_program_wrote() -> None:
    shown = set(claims())
    assert [identifier for identifier in IDENTIFIERS if identifier not in shown] == []
    assert sorted(shown - set(IDENTIFIERS)) == []


def test_every_rule_has_an_identifier_of_its_own() -> None:
    assert [identifier for identifier, count in Counter(IDENTIFIERS).items() if count > 1] == []


def test_every_row_of_the_catalogue_is_explained_or_cannot_be_seen() -> None:
    assert [row.number for row in CATALOGUE] == list(range(1, 101))
    assert [row.number for row in CATALOGUE if bool(row.causes) == bool(row.unseen)] == []
    assert [row.number for row in CATALOGUE if not set(row.causes) <= set(IDENTIFIERS)] == []


def test_every_rule_is_of_the_catalogue_or_said_to_be_besides() -> None:
    told = {cause for row in CATALOGUE for cause in row.causes}
    assert [identifier for identifier in IDENTIFIERS if (identifier in told) == (identifier in BESIDES)] == []


def test_the_command_lists_every_rule_on_a_line() -> None:
    listed = [line.split()[0] for line in toolkit("causes").splitlines()]
    assert sorted(listed) == sorted(IDENTIFIERS)


def test_the_page_of_causes_is_as_the_table_makes_it() -> None:
    page = (ROOT / "docs/causes.md").read_text(encoding="utf-8")
    hint = "run: python -m ci_toolkit causes --markdown > docs/causes.md"
    assert page == toolkit("causes", "--markdown"), hint


def test_readme_and_contributing_lead_to_the_causes() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "docs/causes.md" in text, name
        assert "ci-toolkit causes" in text, name
