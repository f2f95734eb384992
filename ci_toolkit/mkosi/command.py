"""mkosi's command line and the environment it is given."""

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_toolkit.host.environment import Environment
from ci_toolkit.mkosi import normal
from ci_toolkit.mkosi.config import ImageConfig
from ci_toolkit.process import MINIMAL, Command

# The name space of derived seeds; never change it, or every image of everybody gets other UUIDs.
SEED_NAMESPACE: Final = uuid.UUID("6f0f4a52-8c65-4b0c-9d3f-6f0b1d1c2a77")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of mkosi, all paths as they are inside the build.

    `epoch` and `seed` are None where the definition sets its own; `sandbox_trees` carry the machine's package
    settings; `normal` is the place that mkosi.normal wrote to; `cache` holds the package lists of one run, which
    `reuse_metadata` takes from the build before.
    """

    directory: Path
    profiles: tuple[str, ...]
    arguments: tuple[str, ...]
    environment: Environment
    epoch: int | None
    seed: str | None = None
    sandbox_trees: tuple[Path, ...] = ()
    output: Path | None = None
    workspace: Path | None = None
    packages: Path | None = None
    cache: Path | None = None
    normal: Path | None = None
    reuse_metadata: bool = False


def summary(call: Call) -> Command:
    """Return the command that prints the resolved configuration as JSON."""
    return _command(call, (*_definition(call), "--json", "--no-pager", "summary"))


def build(call: Call) -> Command:
    """Return the command that builds the image."""
    # Incremental=yes would make the second build start from the first one's tree, and prove nothing.
    # The manifest lies beside the image; mkosi writes it from what is installed, and puts nothing of it in.
    options: list[str] = [*_definition(call), "--force", "--incremental=no", "--manifest-format=json"]
    for option, path in (
        ("output-directory", call.output),
        ("workspace-directory", call.workspace),
        ("package-cache-directory", call.packages),
        ("cache-directory", call.cache),
    ):
        if path is not None:
            options.append(f"--{option}={path}")
    if call.normal is not None:
        options.append(f"--extra-search-path={call.normal / normal.PROGRAMS}")
        options.append(f"--finalize-script={call.normal / normal.FINALIZE}")
    if call.reuse_metadata:
        options.append("--cache-only=metadata")
    return _command(call, (*options, "build"))


def wants_network(arguments: tuple[str, ...]) -> bool:
    """Tell whether a build with ARGUMENTS of the caller may ask for packages: not with --cache-only=always."""
    joined = " ".join(arguments).replace("--cache-only ", "--cache-only=").split()
    asked = [word for word in joined if word.startswith("--cache-only=")]
    return not asked or asked[-1] != "--cache-only=always"


def _definition(call: Call) -> tuple[str, ...]:
    """What decides the image: the same options for the summary and for the build."""
    return (
        f"--directory={call.directory}",
        *(f"--profile={profile}" for profile in call.profiles),
        *(f"--sandbox-tree={tree}" for tree in call.sandbox_trees),
        *((f"--source-date-epoch={call.epoch}",) if call.epoch is not None else ()),
        *((f"--seed={call.seed}",) if call.seed is not None else ()),
        *call.arguments,
    )


def _command(call: Call, arguments: tuple[str, ...]) -> Command:
    return Command(
        argv=("mkosi", *arguments),
        environment=environment(call.environment, call.epoch, call.workspace),
        directory=call.directory,
    )


def environment(surroundings: Environment, epoch: int | None, workspace: Path | None = None) -> Mapping[str, str]:
    """Return the whole environment of a build: built from SURROUNDINGS, nothing inherited.

    WORKSPACE takes what the build's programs write to /var/tmp, which mkosi would put into that of the machine.
    """
    variables = {
        **MINIMAL,
        "HOME": surroundings.home,
        "LANG": surroundings.locale,
        "LC_ALL": surroundings.locale,
        "TZ": surroundings.zone,
        "TERM": "dumb",
        "SYSTEMD_COLORS": "0",
    }
    if workspace is not None:
        variables["TMPDIR"] = os.fspath(workspace)
    return variables if epoch is None else {**variables, "SOURCE_DATE_EPOCH": str(epoch)}


def derive_seed(config: ImageConfig, directory: Path) -> str:
    """Return a UUID that is the same wherever the definition in DIRECTORY of its repository is built.

    systemd-repart derives every partition, file-system and disk UUID from it; mkosi would draw one at random.
    """
    return str(uuid.uuid5(SEED_NAMESPACE, f"{directory.as_posix()} {config.identity}"))
