"""The one table of inputs.

Each row is an option of the command line, an input of action.yml and an input of the GitLab template; a test fails
where they disagree. The value comes from the command line, else from INPUT_<NAME> (GitHub) or CI_TOOLKIT_<NAME>
(everywhere, and stronger), else from the default.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ci_toolkit.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One input: a kebab-case name, its default, the values it may take (empty: any text), whether it is a list."""

    name: str
    default: str
    help: str
    choices: tuple[str, ...] = ()
    metavar: str = "TEXT"
    secret: bool = False

    @property
    def variable(self) -> str:
        return self.name.upper().replace("-", "_")


SETTINGS: Final = (
    Setting(
        name="command",
        default="verify",
        choices=("verify", "build", "doctor"),
        help="What to do: build twice and compare, build once, or tell what this machine can do.",
    ),
    Setting(name="directory", default=".", metavar="DIR", help="The directory that holds mkosi.conf."),
    Setting(name="profile", default="", metavar="PROFILE", help="mkosi profiles to build with, joined by commas."),
    Setting(
        name="runner",
        default="auto",
        choices=("auto", "unprivileged", "container", "vm", "single-id"),
        help="Where to build; auto takes the first that works here, never single-id, whose images have other owners.",
    ),
    Setting(
        name="image",
        default="",
        metavar="IMAGE",
        help="The toolkit's own image, for the runner `container`; by default the one of this release.",
    ),
    Setting(name="output", default="output", metavar="DIR", help="Where the image and the report go."),
    Setting(
        name="cache",
        default="",
        metavar="DIR",
        help="Where fetched packages are kept between runs; by default in the user's cache directory.",
    ),
    Setting(
        name="vary",
        default="all",
        metavar="LIST",
        help="What the second build's surroundings differ in: all, none, or names joined by commas.",
    ),
    Setting(
        name="parallel",
        default="auto",
        choices=("auto", "never"),
        help="Whether both builds of verify run at once; auto where processors, memory and disk allow it.",
    ),
    Setting(
        name="time-limit",
        default="auto",
        metavar="MINUTES",
        help="How many minutes one build may take; auto: 120, and 600 where a machine is emulated; none: any number.",
    ),
    Setting(
        name="log",
        default="progress",
        choices=("progress", "full"),
        help="What is shown of a build: its steps, with packages counted, or every line; its own log has every one.",
    ),
    Setting(
        name="fail-on",
        default="any",
        choices=("any", "unexplained", "never"),
        help="Which differences make the job fail.",
    ),
    Setting(
        name="comment",
        default="true",
        choices=("true", "false"),
        help="Comment on the pull or merge request; needs a token that may write.",
    ),
    Setting(
        name="token",
        default="",
        metavar="TOKEN",
        secret=True,
        help="The token for the comment; it never reaches a build.",
    ),
    Setting(
        name="mkosi-args",
        default="",
        metavar="ARGS",
        help="More arguments for mkosi, split as a shell splits words.",
    ),
)


def value(name: str, environ: Mapping[str, str]) -> str:
    """Return the value of the setting NAME from ENVIRON or its default.

    GitHub turns `fail-on` into INPUT_FAIL-ON for container actions and leaves mapping to composite ones, so both
    spellings are read. Raises UsageError for a value that is not one of the choices.
    """
    setting = next(setting for setting in SETTINGS if setting.name == name)
    candidates = (
        f"CI_TOOLKIT_{setting.variable}",
        f"INPUT_{setting.variable}",
        f"INPUT_{setting.name.upper()}",
    )
    # Without blanks around it: a value may come from a YAML block, which ends with a newline.
    given = (environ.get(candidate, "").strip() for candidate in candidates)
    found = next(filter(None, given), setting.default)
    if setting.choices and found not in setting.choices:
        raise UsageError(f"{name} is {found!r}", hint=f"It is one of: {', '.join(setting.choices)}.")
    return found
