"""The tables of settings.py as action.yml, the workflows, GitLab's templates and README.md have them."""

import json
from collections.abc import Iterable
from typing import Final

import yaml

from ci_toolkit.runners.container import PUBLISHED_IMAGE
from ci_toolkit.settings import OUTPUTS, SETTINGS, Setting

# GitLab hands a token over as a masked variable; an input would be readable in the pipeline.
ON_GITLAB: Final = tuple(setting for setting in SETTINGS if not setting.secret)
# A reusable workflow gets its token as a secret, its matrix says the rest.
CALLED: Final = tuple(row for row in SETTINGS if row.is_of("verify") and not row.secret and row.name != "command")
# GitLab keeps nothing outside the checkout.
GITLAB_CACHE: Final = ".ci-toolkit-packages"
IMAGE_OF_THE_JOB: Final = "The toolkit's own image, in which the job runs; also for the runner `container`."


def described(setting: Setting, quote: str = "") -> str:
    """Return the description of an input where nothing else names its choices."""
    if not setting.choices:
        return setting.help
    return f"{setting.help} One of {', '.join(f'{quote}{choice}{quote}' for choice in setting.choices)}."


def action_inputs() -> str:
    """The inputs of action.yml."""
    return "".join(
        f"{row.name}:\n  description: {_scalar(described(row))}\n  default: {_scalar(_on_github(row))}\n"
        for row in SETTINGS
    )


def action_outputs() -> str:
    """The outputs of action.yml."""
    return "".join(
        f"{row.name}:\n  description: {_scalar(row.help)}\n  value: ${{{{ steps.toolkit.outputs.{row.name} }}}}\n"
        for row in OUTPUTS
    )


def action_variables() -> str:
    """The environment of the one call of the toolkit."""
    lines = []
    for row in SETTINGS:
        given = "steps.packages.outputs.path || inputs.cache" if row.name == "cache" else f"inputs.{row.name}"
        lines.append(f"INPUT_{row.variable}: ${{{{ {given} }}}}\n")
    return "".join(lines)


def called_inputs() -> str:
    """The inputs of the reusable workflow."""
    return "".join(
        f"{row.name}:\n  description: {_scalar(described(row))}\n  type: string\n  default: {_scalar(row.default)}\n"
        for row in CALLED
    )


def called_with() -> str:
    """What the reusable workflow hands to each job that builds; of the rest the matrix or the last job decides."""
    decided = ("directory", "profile", "mkosi-args", "comment")
    told = (row for row in CALLED if row.name not in decided)
    return "".join(_handed(row) for row in told if row.name == "fail-on" or not row.is_of("comment"))


def called_comment_with() -> str:
    """What it hands to the job that comments."""
    return "".join(_handed(row) for row in CALLED if row.is_of("comment"))


def template_inputs(command: str | None = None) -> str:
    """The inputs of GitLab's template for COMMAND, or of the one for every command."""
    return "".join(_template_input(row) for row in _of(command))


def template_variables(command: str | None = None) -> str:
    """The variables of its job."""
    rows = "".join(f'CI_TOOLKIT_{row.variable}: "$[[ inputs.{row.name} ]]"\n' for row in _of(command))
    return rows if command is None else f"CI_TOOLKIT_COMMAND: {command}\n{rows}"


def readme_inputs() -> str:
    """The table of inputs."""
    rows = (
        f"| `{row.name}` | {f'`{row.default}`' if row.default else '–'} | {described(row, '`')} |\n" for row in SETTINGS
    )
    return "| input | default | what it is |\n|---|---|---|\n" + "".join(rows)


def readme_outputs() -> str:
    """The table of outputs."""
    rows = (f"| `{row.name}` | {row.help} |\n" for row in OUTPUTS)
    return "| output | what it is |\n|---|---|\n" + "".join(rows)


def _handed(row: Setting) -> str:
    return f"{row.name}: ${{{{ inputs.{row.name} }}}}\n"


def _of(command: str | None) -> Iterable[Setting]:
    if command is None:
        return ON_GITLAB
    return (row for row in ON_GITLAB if row.name != "command" and (row.is_of(command) or row.name == "image"))


def _template_input(row: Setting) -> str:
    text = f"{row.name}:\n  description: {_scalar(IMAGE_OF_THE_JOB if row.name == 'image' else row.help)}\n"
    if row.choices:
        text += f"  options: [{', '.join(map(_scalar, row.choices))}]\n"
    defaults = {"cache": GITLAB_CACHE, "image": PUBLISHED_IMAGE}
    return text + f"  default: {_scalar(defaults.get(row.name, row.default))}\n"


def _on_github(row: Setting) -> str:
    return "${{ github.token }}" if row.secret else row.default


def _scalar(text: str) -> str:
    """Return TEXT as YAML: plain where that reads as the same text."""
    try:
        if text and yaml.safe_load(f"key: {text}") == {"key": text}:
            return text
    except yaml.YAMLError:
        pass
    return f"'{text}'" if '"' in text and "'" not in text else json.dumps(text, ensure_ascii=False)
