"""One call of the command line in the surroundings of a recorded CI job, with an image definition beside it."""

import io
from pathlib import Path

from composite import read_outputs

from ci_toolkit.ci.detect import detect
from ci_toolkit.cli.main import cli
from ci_toolkit.console import Console

EVENTS = Path(__file__).parents[1] / "fixtures" / "events"


class Call:
    """The environment of one job with an image definition beside it, and what was written."""

    def __init__(self, folder: Path, event: str, **environ: str) -> None:
        lines = (EVENTS / f"{event}.env").read_text(encoding="utf-8").splitlines()
        self.folder = folder
        self.output = folder / "output"
        self.summary, self.outputs = folder / "summary.md", folder / "outputs"
        self.summary.touch()
        self.outputs.touch()
        definition = folder / "images"
        definition.mkdir()
        (definition / "mkosi.conf").touch()
        self.environ = dict(line.split("=", 1) for line in lines) | {
            "CI_TOOLKIT_DIRECTORY": str(definition),
            "CI_TOOLKIT_OUTPUT": str(self.output),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "GITHUB_EVENT_PATH": str(EVENTS / f"{event}.json"),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_OUTPUT": str(self.outputs),
            **environ,
        }
        self.narration, self.results = io.StringIO(), io.StringIO()

    def __call__(self, *arguments: str) -> int:
        fold = detect(self.environ).provider.fold
        console = Console(fold, narration=self.narration, results=self.results)
        code = cli.main(list(arguments), standalone_mode=False, obj={"environ": self.environ, "console": console})
        return code if isinstance(code, int) else 0

    @property
    def said(self) -> str:
        return self.narration.getvalue()

    @property
    def shown(self) -> str:
        return self.results.getvalue()

    def outputs_of_step(self) -> dict[str, str]:
        return read_outputs(self.outputs.read_text(encoding="utf-8"))
