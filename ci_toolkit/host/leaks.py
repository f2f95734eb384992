"""What of this machine would reach an image, were a build not given something else.

    python -m ci_toolkit.host.leaks DIRECTORY WORKSPACE < JSON-OF-THE-CALLER'S-VARIABLES

Run as a program of its own, as a dead network file system hangs whoever looks at it.
"""

import json
import os
import resource
import socket
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from ci_toolkit.host import checkout, child
from ci_toolkit.host.capabilities import Leak
from ci_toolkit.host.environment import NORMAL
from ci_toolkit.host.namespaces import status_field

_SECONDS: Final = 40.0

# What the child is told of the caller's environment; no token is among them.
_VARIABLES: Final = ("HOME", "LANG", "LANGUAGE", "TZ", "SOURCE_DATE_EPOCH", "XDG_CONFIG_HOME")
_PREFIXES: Final = ("LC_", "GIT_CONFIG_")

# Some programs close or visit every descriptor that they may have: a limit of a thousand million takes minutes each
# time. Below the other one, package managers and mksquashfs run out.
_MANY_FILES: Final = 1 << 20
_FEW_FILES: Final = 1024


def probe(directory: Path, workspace: Path, environ: Mapping[str, str]) -> tuple[Leak, ...]:
    """Return what would leak into a build of DIRECTORY whose output is made in WORKSPACE, called with ENVIRON."""
    chosen = {name: text for name, text in environ.items() if name in _VARIABLES or name.startswith(_PREFIXES)}
    completed = child.run(
        "ci_toolkit.host.leaks", os.fspath(directory), os.fspath(workspace), seconds=_SECONDS, stdin=json.dumps(chosen)
    )
    if completed.ok:
        return parse(completed.stdout)
    return (_unknown(child.how_it_ended(completed, _SECONDS)),)


def parse(text: str) -> tuple[Leak, ...]:
    """Read TEXT, what `main` wrote."""
    return tuple(Leak(**leak) for leak in json.loads(text))


def main(arguments: list[str]) -> int:
    """Look, and write a JSON list of leaks."""
    environ = json.load(sys.stdin)
    found = look(Path(arguments[0]), Path(arguments[1]), environ)
    sys.stdout.write(json.dumps([asdict(leak) for leak in found]))
    return 0


def look(directory: Path, workspace: Path, environ: Mapping[str, str]) -> tuple[Leak, ...]:
    """Return every leak, in the order in which they are shown; raises OSError where DIRECTORY cannot be seen."""
    return (
        umask(status_field("Umask") or "unknown"),
        checkout.owner(directory),
        checkout.modes(directory),
        checkout.set_group_id(directory),
        checkout.git_ownership(directory, environ),
        checkout.default_acl(directory, "checkout-acl"),
        checkout.default_acl(workspace, "workspace-acl"),
        locale(environ),
        zone(environ),
        home(environ),
        host_name(socket.gethostname()),
        build_path(directory),
        epoch(environ),
        open_files(*resource.getrlimit(resource.RLIMIT_NOFILE)),
    )


def umask(found: str) -> Leak:
    """Judge FOUND, the umask in octal."""
    return Leak(
        name="umask",
        found=found,
        normal=f"{NORMAL.umask:04o}",
        leaks=found != f"{NORMAL.umask:04o}",
        why="Every file that a script makes without naming a mode gets it from the umask; GitLab's Docker executor "
        "runs with 0000.",
        fix="Start the job with `umask 022`; on GitLab also FF_DISABLE_UMASK_FOR_DOCKER_EXECUTOR=true.",
    )


def locale(environ: Mapping[str, str]) -> Leak:
    """Judge the variables that name a locale."""
    named = {name: environ[name] for name in sorted(environ) if name.startswith("LC_") or name in ("LANG", "LANGUAGE")}
    values = {text for text in named.values() if text}
    return Leak(
        name="locale",
        found=", ".join(f"{name}={text}" for name, text in named.items()) or "unset",
        normal=NORMAL.locale,
        leaks=bool(values - {NORMAL.locale}),
        why="The locale decides how names sort and how tools print dates and numbers into files.",
        fix=f"export LC_ALL={NORMAL.locale}",
    )


def zone(environ: Mapping[str, str], root: Path = Path("/")) -> Leak:
    """Judge the time zone: TZ, or what /etc/localtime below ROOT points to."""
    found = environ.get("TZ") or _system_zone(root)
    name = found.removeprefix(":")
    return Leak(
        name="zone",
        found=found,
        normal=NORMAL.zone,
        leaks=name not in ("UTC", "UTC0", "Etc/UTC", "Universal", "Zulu", "GMT"),
        why="FAT and zip keep local time, and dates in logs and versions move with the zone.",
        fix=f"export TZ={NORMAL.zone}",
    )


def _system_zone(root: Path) -> str:
    link = root / "etc/localtime"
    if link.is_symlink():
        return os.fspath(link.readlink()).partition("zoneinfo/")[2] or os.fspath(link.readlink())
    return "unnamed, in /etc/localtime" if link.exists() else "UTC"


def home(environ: Mapping[str, str]) -> Leak:
    """Judge HOME: programs read their configuration there, and some write."""
    path = environ.get("HOME")
    if not path:
        found = "unset"
    elif not Path(path).is_dir():
        found = f"{path}, which is not there"
    else:
        found = path if os.access(path, os.W_OK) else f"{path}, not writable"
    return Leak(
        name="home",
        found=found,
        normal=f"{NORMAL.home}, empty",
        leaks=path != NORMAL.home,
        why="mkosi, gpg and package managers read settings and keys from HOME, and fail where it cannot be written.",
        fix="None is needed: a build gets an empty HOME; settings belong into mkosi.conf.",
    )


def host_name(found: str) -> Leak:
    """Judge the host name FOUND."""
    return Leak(
        name="hostname",
        found=found,
        normal=NORMAL.hostname,
        leaks=found != NORMAL.hostname,
        why="Package scripts and compilers write it into files (mail names, build records).",
        fix="None is needed: a build gets a host name of its own; Hostname= in mkosi.conf sets the image's.",
    )


def build_path(directory: Path) -> Leak:
    """Judge where the sources lie."""
    return Leak(
        name="build-path",
        found=os.fspath(directory),
        normal=NORMAL.build_path,
        leaks=os.fspath(directory) != NORMAL.build_path,
        why="Compilers and byte-compiled files record the path that they were built from.",
        fix="None is needed: a build sees its sources at a path that is the same everywhere.",
    )


def epoch(environ: Mapping[str, str]) -> Leak:
    """Judge SOURCE_DATE_EPOCH: the caller's would be another on the next machine."""
    found = environ.get("SOURCE_DATE_EPOCH") or "unset"
    return Leak(
        name="epoch",
        found=f"SOURCE_DATE_EPOCH {found}",
        normal="the time of the last commit, or SourceDateEpoch= of mkosi.conf",
        leaks=found != "unset",
        why="Times in the image are clamped to it; one that comes from the job differs from job to job.",
        fix="Unset SOURCE_DATE_EPOCH in the job, or set SourceDateEpoch= in mkosi.conf.",
    )


def open_files(soft: int, hard: int) -> Leak:
    """Judge the limits of open files."""
    many = soft == resource.RLIM_INFINITY or soft > _MANY_FILES
    return Leak(
        name="open-files",
        found=f"{_shown(soft)} (at most {_shown(hard)})",
        normal="the same: it is not changed",
        leaks=many or soft < _FEW_FILES,
        why="With a huge limit, programs that close every descriptor take minutes; with a small one, they run out.",
        fix="docker run --ulimit nofile=1024:524288, or `ulimit -n 1024` before the job.",
    )


def _shown(limit: int) -> str:
    return "unlimited" if limit == resource.RLIM_INFINITY else str(limit)


def _unknown(reason: str) -> Leak:
    return Leak(
        name="host",
        found=f"unknown: {reason}",
        normal="not looked at",
        leaks=True,
        why="What cannot be seen cannot be ruled out.",
        fix="Look whether the checkout and the workspace can be read at all.",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
