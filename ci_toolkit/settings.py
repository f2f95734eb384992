"""The one table of inputs, and the one of outputs.

Each row of SETTINGS is an option of the command line, an input of action.yml, of the reusable workflow and of the
GitLab templates, and a row of README.md; `make doors` writes all of them, and a test fails where they disagree. The
value comes from the command line, else from INPUT_<NAME> (GitHub) or CI_TOOLKIT_<NAME> (everywhere, and stronger), else
from the default.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ci_toolkit.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One input: a kebab-case name, its default, the values it may take (empty: any text), and which commands read it.

    `commands` is empty where all do.
    """

    name: str
    default: str
    help: str
    choices: tuple[str, ...] = ()
    metavar: str = "TEXT"
    secret: bool = False
    commands: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        return self.name.upper().replace("-", "_")

    def is_of(self, command: str) -> bool:
        """Tell whether COMMAND reads it."""
        return not self.commands or command in self.commands


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One output: a kebab-case name, and what it is. A `structured` one is JSON, which no dotenv report can hold."""

    name: str
    help: str
    structured: bool = False

    @property
    def variable(self) -> str:
        return self.name.upper().replace("-", "_")


_BUILDING: Final = ("verify", "build")
_MAKING: Final = (*_BUILDING, "release")
_ASKING: Final = (*_MAKING, "matrix")

SETTINGS: Final = (
    Setting(
        name="command",
        default="verify",
        choices=("verify", "build", "release", "comment", "matrix", "doctor", "answer"),
        help="What to do: build twice and compare, build once, release if a release is due, put a stored report on the "
        "change, list what can be built, tell what this machine can do, or do what a comment on a pull request asks "
        "for.",
    ),
    Setting(
        name="directory",
        default=".",
        metavar="DIR",
        help="The directory that holds mkosi.conf; of command release several, joined by commas.",
        commands=(*_ASKING, "doctor"),
    ),
    Setting(
        name="profile",
        default="",
        metavar="PROFILE",
        help="mkosi profiles to build with, joined by commas.",
        commands=_ASKING,
    ),
    Setting(
        name="runner",
        default="auto",
        choices=("auto", "unprivileged", "container", "vm", "single-id"),
        help="Where to build; auto takes the first that works here, never single-id, whose images have other owners.",
        commands=_ASKING,
    ),
    Setting(
        name="image",
        default="",
        metavar="IMAGE",
        help="The toolkit's own image, for the runner `container`; by default the one of this release.",
        commands=_ASKING,
    ),
    Setting(
        name="output", default="output", metavar="DIR", help="Where the image and the report go.", commands=_ASKING
    ),
    Setting(
        name="cache",
        default="",
        metavar="DIR",
        help="Where fetched packages are kept between runs; by default in the user's cache directory.",
        commands=_MAKING,
    ),
    Setting(
        name="vary",
        default="all",
        metavar="LIST",
        help="What the second build's surroundings differ in: all, none, or names joined by commas.",
        commands=("verify", "release"),
    ),
    Setting(
        name="parallel",
        default="auto",
        choices=("auto", "never"),
        help="Whether both builds of verify run at once; auto where processors, memory and disk allow it.",
        commands=("verify", "release"),
    ),
    Setting(
        name="time-limit",
        default="auto",
        metavar="MINUTES",
        help="How many minutes one build may take; auto: 120, and 600 where a machine is emulated; none: any number.",
        commands=_MAKING,
    ),
    Setting(
        name="log",
        default="progress",
        choices=("progress", "full"),
        help="What is shown of a build: its steps, with packages counted, or every line; its own log has every one.",
        commands=_MAKING,
    ),
    Setting(
        name="fail-on",
        default="any",
        choices=("any", "unexplained", "never"),
        help="Which differences make the job fail.",
        commands=("verify", "comment"),
    ),
    Setting(
        name="formats",
        default="",
        metavar="LIST",
        help="What the image is converted to where it came out as it should, joined by commas: qcow2, vmdk, vdi, vhd, "
        "vhdx, vagrant-libvirt, vagrant-virtualbox, oci, docker-archive, tar.zst, netboot, iso, gce, azure; empty: "
        "nothing.",
        commands=_MAKING,
    ),
    Setting(
        name="boot",
        default="",
        metavar="LIST",
        help="What then starts the image in a virtual machine, joined by commas: bios, uefi, secure-boot; empty: "
        "nothing. The job fails where it does not come up.",
        commands=_MAKING,
    ),
    Setting(
        name="boot-check",
        default="",
        metavar="FILES",
        help="Scripts that are run as root in the image that was started, joined by commas; the job fails where one "
        "does.",
        commands=_MAKING,
    ),
    Setting(
        name="comment",
        default="true",
        choices=("true", "false"),
        help="Comment on the pull or merge request; needs a token that may write.",
        commands=_BUILDING,
    ),
    Setting(
        name="baseline",
        default="",
        metavar="LIST",
        help="The report.json of the base branch's or the last release's build, to tell what changed, or a directory "
        "with several in it; more than one baseline joined by commas, each with NAME= before it.",
        commands=(*_BUILDING, "comment"),
    ),
    Setting(
        name="comment-threshold",
        default="",
        metavar="PERCENT",
        help="Begin no comment where the image is as it should be, its packages are those of the baseline and its size "
        "differs by no more than this; empty: always comment.",
        commands=(*_BUILDING, "comment"),
    ),
    Setting(
        name="status",
        default="true",
        choices=("true", "false"),
        help="Set a commit status with the verdict; needs a token that may write statuses, and is left out without.",
        commands=(*_BUILDING, "comment"),
    ),
    Setting(
        name="token",
        default="",
        metavar="TOKEN",
        secret=True,
        help="The token for the comment, and of command release for GitHub; it never reaches a build.",
        commands=(*_MAKING, "comment", "answer"),
    ),
    Setting(
        name="report",
        default="output/report.json",
        metavar="FILE",
        help="The stored report that goes on the change, or a directory with several in it; only of command comment.",
        commands=("comment",),
    ),
    Setting(
        name="workflow",
        default="verify.yml",
        metavar="FILE",
        help="The workflow whose run a comment starts again, or none to give outputs alone; only of command answer.",
        commands=("answer",),
    ),
    Setting(
        name="to",
        default="",
        metavar="LIST",
        help="Where a release goes, joined by commas: dir:PATH, github[:OWNER/NAME], gitlab[:PACKAGE], "
        "oci:HOST/REPOSITORY; empty: the forge whose job it is; only of command release.",
        commands=("release",),
    ),
    Setting(
        name="every",
        default="2",
        metavar="WEEKS",
        help="How often a release is due, in weeks; only of command release.",
        commands=("release",),
    ),
    Setting(
        name="keep",
        default="",
        metavar="N",
        help="How many releases are kept, the newest; empty: all; only of command release.",
        commands=("release",),
    ),
    Setting(
        name="advisories",
        default="",
        metavar="LIST",
        help="Files or addresses of what a security tracker hands out, joined by commas, such as "
        "https://security.archlinux.org/all.json; the notes then name the fixes; only of command release.",
        commands=("release",),
    ),
    Setting(
        name="sigstore",
        default="false",
        choices=("true", "false"),
        help="Sign SHA256SUMS by Sigstore, without a key, as the job; a public log names it; only of command release.",
        commands=("release",),
    ),
    Setting(
        name="issue",
        default="true",
        choices=("true", "false"),
        help="Open one issue where a release fails, and close it when one works again; only of command release.",
        commands=("release",),
    ),
    Setting(
        name="force",
        default="false",
        choices=("true", "false"),
        help="Release although none is due; only of command release.",
        commands=("release",),
    ),
    Setting(
        name="dry-run",
        default="false",
        choices=("true", "false"),
        help="Tell what a release would do, and write nothing; only of command release.",
        commands=("release",),
    ),
    Setting(
        name="mkosi-args",
        default="",
        metavar="ARGS",
        help="More arguments for mkosi, split as a shell splits words.",
        commands=_ASKING,
    ),
)

OUTPUTS: Final = (
    Output(name="verdict", help='"identical" or "different"; only of command verify.'),
    Output(name="reproducible", help='"true" or "false"; only of command verify.'),
    Output(name="image", help="The path of the image that was built."),
    Output(name="sha256", help="The SHA-256 of the image; empty where it is a directory."),
    Output(
        name="artifacts",
        help="Every file that was built, as JSON: a list of objects with path, sha256 and size (in bytes); those that "
        "the input formats asked for have a format, too.",
        structured=True,
    ),
    Output(name="output", help="The directory that holds the image, the report and the logs."),
    Output(name="report-path", help="The report as JSON; it is a baseline for later builds."),
    Output(name="comment-url", help="The address of the comment, where there is one."),
    Output(name="runner-used", help="Where it was built: one of the choices of the input runner."),
    Output(
        name="accel-used", help='What a virtual machine ran on: "kvm", or "tcg" where it was emulated; else "none".'
    ),
    Output(name="cache-hit", help='"true" where packages of an earlier run were there, else "false".'),
    Output(
        name="matrix",
        help="What there is to build, as JSON for strategy.matrix; only of command matrix.",
        structured=True,
    ),
    Output(
        name="asked", help='What a comment asks for, "verify"; empty where its author may not; only of command answer.'
    ),
    Output(name="commit", help="The head of that comment's pull request; only of command answer."),
    Output(name="released", help='"true" where a release was published, else "false"; only of command release.'),
    Output(
        name="version",
        help="What that release is called, or would be; empty where none is due; only of command release.",
    ),
    Output(
        name="places",
        help="Where that release is, as JSON: a list with one place for each target; only of command release.",
        structured=True,
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
