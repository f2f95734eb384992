"""Runs the steps of a composite action as GitHub's runner does, but those that use another action.

Of the expressions it knows what action.yml uses: contexts, strings in quotes, format(), cancelled(), !, ==, !=, &&, ||.
https://docs.github.com/en/actions/reference/workflows-and-actions/expressions
"""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

_EXPRESSION: Final = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_TOKEN: Final = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||!=|==|[!(),]|[A-Za-z_][\w.-]*)")


class Expression:
    """One expression, evaluated in CONTEXTS; the weakest operator is looked for first."""

    def __init__(self, text: str, contexts: Mapping[str, object]) -> None:
        self.tokens: list[str] = _TOKEN.findall(text)
        assert "".join(self.tokens) == re.sub(r"\s+(?=(?:[^']*'[^']*')*[^']*$)", "", text), f"not understood: {text}"
        self.contexts = contexts

    def value(self) -> Any:
        found = self._either()
        assert not self.tokens, f"left over: {self.tokens}"
        return found

    def _takes(self, token: str) -> bool:
        if self.tokens and self.tokens[0] == token:
            self.tokens.pop(0)
            return True
        return False

    def _either(self) -> Any:
        found = self._both()
        while self._takes("||"):
            other = self._both()
            found = found or other
        return found

    def _both(self) -> Any:
        found = self._equal()
        while self._takes("&&"):
            other = self._equal()
            found = found and other
        return found

    def _equal(self) -> Any:
        found = self._one()
        if self._takes("!="):
            return found != self._one()
        return found == self._one() if self._takes("==") else found

    def _one(self) -> Any:
        if self._takes("!"):
            return not self._one()
        if self._takes("("):
            found = self._either()
            assert self._takes(")")
            return found
        token = self.tokens.pop(0)
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if self._takes("("):
            return self._call(token)
        found = self.contexts
        for name in token.split("."):
            found = found.get(name, "") if isinstance(found, Mapping) else ""
        return found

    def _call(self, name: str) -> Any:
        arguments: list[Any] = []
        while not self._takes(")"):
            arguments.append(self._either())
            self._takes(",")
        match name, arguments:
            case "cancelled", []:
                return False
            case "format", [pattern, *values]:
                return str(pattern).format(*values)
            case _:
                raise AssertionError(f"{name}() is not known here")


def substitute(value: object, contexts: Mapping[str, object]) -> str:
    """Return a value of the YAML with its expressions evaluated."""
    return _EXPRESSION.sub(lambda found: str(Expression(found[1].strip(), contexts).value()), str(value))


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How the steps ended: what was written, the outputs of the action, and what other actions would be given."""

    failed: bool
    log: str
    outputs: Mapping[str, str]
    summary: str
    used: Mapping[str, Mapping[str, str]]


@dataclass(kw_only=True)
class Job:
    """A runner's directories and variables for one job, in which actions are run one after another."""

    workspace: Path
    temporary: Path
    environ: Mapping[str, str]
    contexts: Mapping[str, object]
    steps_run: int = field(default=0)

    def run(self, action: Mapping[str, Any], place: Path, given: Mapping[str, str]) -> Outcome:
        """Run the steps of ACTION, which lies in PLACE, with the inputs GIVEN."""
        defaults = {
            name: substitute(declared.get("default", ""), self.contexts) for name, declared in action["inputs"].items()
        }
        assert set(given) <= set(defaults)
        outputs: dict[str, object] = {}
        contexts = {**self.contexts, "inputs": {**defaults, **given}, "steps": outputs}
        failed, log, summary = False, "", ""
        used: dict[str, Mapping[str, str]] = {}
        for step in action["runs"]["steps"]:
            condition = str(step.get("if", "success()")).removeprefix("${{").removesuffix("}}").strip()
            # Without a function that asks how things went, they have to have gone well.
            if failed and "cancelled()" not in condition:
                continue
            if condition != "success()" and not Expression(condition, contexts).value():
                continue
            if "uses" in step:
                used[step["uses"].partition("@")[0]] = {
                    name: substitute(value, contexts) for name, value in step["with"].items()
                }
                continue
            completed, files = self._script(step, place, contexts)
            log += completed.stdout
            summary += files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
            failed = failed or (completed.returncode != 0 and not step.get("continue-on-error", False))
            if "id" in step:
                outputs[step["id"]] = {"outputs": read_outputs(files["GITHUB_OUTPUT"].read_text(encoding="utf-8"))}
        results = {name: substitute(declared["value"], contexts) for name, declared in action["outputs"].items()}
        return Outcome(failed=failed, log=log, outputs=results, summary=summary, used=used)

    def _script(
        self, step: Mapping[str, Any], place: Path, contexts: Mapping[str, object]
    ) -> "tuple[subprocess.CompletedProcess[str], dict[str, Path]]":
        assert step["shell"] == "bash"
        self.steps_run += 1
        names = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH")
        files = {name: self.temporary / f"{name}_{self.steps_run}" for name in names}
        for file in files.values():
            file.touch()
        script = self.temporary / f"{self.steps_run}.sh"
        script.write_text(substitute(step["run"], contexts), encoding="utf-8")
        completed = subprocess.run(
            ("bash", "--noprofile", "--norc", "-eo", "pipefail", script),
            cwd=self.workspace,
            env={
                **self.environ,
                **{name: str(file) for name, file in files.items()},
                "GITHUB_ACTION_PATH": str(place),
                "GITHUB_WORKSPACE": str(self.workspace),
                "RUNNER_TEMP": str(self.temporary),
                **{name: substitute(value, contexts) for name, value in step.get("env", {}).items()},
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return completed, files


def read_outputs(text: str) -> dict[str, str]:
    """Read GITHUB_OUTPUT as the runner does: name=value, or name<<delimiter up to that delimiter alone on a line."""
    values: dict[str, str] = {}
    lines = iter(text.split("\n"))
    for line in lines:
        name, separator, rest = re.match(r"(.*?)(<<|=|$)(.*)", line).groups()  # type: ignore[union-attr] # any line does
        if separator == "<<":
            values[name] = "\n".join(iter(lines.__next__, rest))
        elif separator:
            values[name] = rest
    return values
