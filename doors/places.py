"""Which file has which parts, and where a file is the copy of another."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from doors import blocks, marked

ROOT: Final = Path(__file__).resolve().parents[1]
Parts = Mapping[str, Callable[[], str]]

PLACES: Final[Mapping[str, Parts]] = {
    "action.yml": {
        "inputs": blocks.action_inputs,
        "outputs": blocks.action_outputs,
        "variables": blocks.action_variables,
    },
    ".github/workflows/image.yml": {
        "inputs": blocks.called_inputs,
        "with": blocks.called_with,
        "comment-with": blocks.called_comment_with,
    },
    "templates/verify.yml": {"inputs": blocks.template_inputs, "variables": blocks.template_variables},
    "templates/build.yml": {
        "inputs": partial(blocks.template_inputs, "build"),
        "variables": partial(blocks.template_variables, "build"),
    },
    "templates/report.yml": {
        "inputs": partial(blocks.template_inputs, "comment"),
        "variables": partial(blocks.template_variables, "comment"),
    },
    "templates/release.yml": {
        "inputs": partial(blocks.template_inputs, "release"),
        "variables": partial(blocks.template_variables, "release"),
    },
    "README.md": {"inputs": blocks.readme_inputs, "outputs": blocks.readme_outputs},
}
# A component of GitLab lies in templates/, and this is the address that is told to those who include a file.
COPIES: Final[Mapping[str, str]] = {
    f"workflows/gitlab/{name}.yml": f"templates/{name}.yml" for name in ("verify", "release")
}


def written() -> dict[Path, str]:
    """Return what each file of PLACES and COPIES has to hold."""
    texts = {
        ROOT / name: marked.rewritten((ROOT / name).read_text(encoding="utf-8"), parts)
        for name, parts in PLACES.items()
    }
    return texts | {ROOT / name: texts[ROOT / origin] for name, origin in COPIES.items()}
