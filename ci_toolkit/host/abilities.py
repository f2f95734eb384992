"""The kernel's answers to a build's requests, as capabilities with the reason and the fix of each."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from ci_toolkit.host import child, confinement
from ci_toolkit.host.capabilities import Capability

_SECONDS: Final = 40.0

_SECCOMP_FIX: Final = "Start the container with the profile that `ci-toolkit seccomp` prints, or build in a VM."

_ROOT_FIX: Final = "Give the container CAP_SETUID, CAP_SETGID and CAP_SETFCAP: they are in Docker's default set."

# What newuidmap was refused for -> what mends it, where it is installed and the ids are granted.
_HELPER_FIXES: Final[Mapping[str, str]] = {
    "file capability": "As root: cd /usr/bin; chmod u-s newuidmap newgidmap; setcap cap_setuid=ep newuidmap; "
    "setcap cap_setgid=ep newgidmap.",
    "no_new_privs": "Start the container without `--security-opt no-new-privileges`, or as root.",
    "determine your user name": "Give the user a line in /etc/passwd: newuidmap asks for his name.",
}

# The capabilities that runners ask for, whose refusal names what holds the process back.
BLAMED: Final = ("user-namespace-full", "user-namespace-single", "mount-in-namespace")

UNEXPLAINED: Final = ("Operation not permitted", "Permission denied", "No space left on device", "kills the caller")
CULPRITS: Final[Mapping[str, str]] = {
    "seccomp": "this process runs under a seccomp filter that refuses it",
    "apparmor": "AppArmor confines this process",
    "user-namespace-sysctl": "a sysctl of the host forbids it",
}

# Trial -> why it matters and what mends it; in the order in which they are shown.
EXPLAINED: Final[Mapping[str, tuple[str, str]]] = {
    "user-namespace-full": (
        "With 65,536 ids a build gives every file its right owner without privileges.",
        "Install uidmap (newuidmap) and grant 65,536 ids: sudo usermod --add-subuids 100000-165535 --add-subgids "
        "100000-165535 USER.",
    ),
    "user-namespace-single": (
        "With one id mkosi still builds, but suppresses chown: the image has other owners than everybody else's.",
        "Allow user namespaces: see the checks of seccomp, AppArmor and sysctl.",
    ),
    "user-namespace-shifted": (
        "The proving build is root under another id, to show that no id of the host reaches the image.",
        "Give the container the host's ids (no rootless engine, no userns-remap), or leave out `--vary uid`.",
    ),
    "workspace-owners": (
        "The image is made on the workspace's file system, which must keep every owner.",
        "Put the output on a local file system: network, 9p and virtiofs mounts may refuse foreign owners.",
    ),
    "mount-tmpfs": ("mkosi's sandbox starts from a tmpfs.", _SECCOMP_FIX),
    "mount-proc": ("mkosi binds /proc into its sandbox, with whatever is mounted below it.", _SECCOMP_FIX),
    "mount-devpts": ("Package scripts get a terminal of their own.", _SECCOMP_FIX),
    "mount-overlay": ("mkosi lays package caches and build trees over one another.", "Load the overlay module."),
    "mount-api": ("mkosi binds with open_tree, mount_setattr and move_mount (Linux 5.12).", _SECCOMP_FIX),
    "pivot-root": ("mkosi makes its sandbox the root directory.", _SECCOMP_FIX),
    "host-name": ("A build gets a host name of its own, so that the host's cannot leak.", _SECCOMP_FIX),
    "owners": ("tar and package managers give files to groups such as shadow (42).", "Map all ids: see above."),
    "fresh-proc": (
        "Optional: mkosi does not need a new procfs, but systemd-nspawn and podman inside a build do.",
        "Start the container with `--security-opt systempaths=unconfined`; GitLab's executor cannot.",
    ),
}

# What a build cannot do without, once it is root of a namespace.
MOUNTS: Final = ("mount-tmpfs", "mount-proc", "mount-devpts", "mount-overlay", "mount-api", "pivot-root", "host-name")


def probe(directory: Path, *, root: Path = Path("/")) -> tuple[Capability, ...]:
    """Ask the kernel, in a child, for what a build needs, with DIRECTORY as the workspace."""
    completed = child.run("ci_toolkit.host.trials", str(directory), seconds=_SECONDS)
    missing = child.how_it_ended(completed, _SECONDS) if not completed.ok else "not tried: no user namespace"
    return judge(parse(completed.stdout), missing, root=root, privileged=os.geteuid() == 0)


def parse(text: str) -> dict[str, str | None]:
    """Return each trial of TEXT, the lines of host.trials, with its refusal or None; a half line is left out."""
    found: dict[str, str | None] = {}
    for line in text.splitlines():
        try:
            trial = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[str(trial["trial"])] = None if trial["refused"] is None else str(trial["refused"])
    return found


def judge(
    trials: Mapping[str, str | None], missing: str, *, root: Path = Path("/"), privileged: bool = False
) -> tuple[Capability, ...]:
    """Return the capabilities that TRIALS prove; MISSING is the reason of those that were not reached.

    PRIVILEGED tells that the caller is root, who needs capabilities where others need newuidmap.
    """
    refused = {name: trials.get(name, missing) for name in EXPLAINED}
    calls = {name.removeprefix("call:"): answer for name, answer in trials.items() if name.startswith("call:")}
    confined = (
        confinement.seccomp({name: answer for name, answer in calls.items() if answer is not None}),
        confinement.apparmor(root),
        confinement.switches(root),
    )
    culprit = next((one for one in confined if not one.available), None)
    single = [_with_helper(_capability(name, refused[name])) for name in EXPLAINED]
    if privileged:
        single = [replace(one, fix=_ROOT_FIX) if one.name == "user-namespace-full" else one for one in single]
    at = list(EXPLAINED).index("mount-tmpfs")
    answers = (*single[:at], _mount_in_namespace(refused), *single[at:])
    return (*(_with_culprit(one, culprit) for one in answers), *confined)


def _with_culprit(one: Capability, culprit: Capability | None) -> Capability:
    """Name in a refusal what is known to hold us back, and mend that first."""
    if culprit is None or one.available or one.name not in BLAMED or not one.reason.endswith(UNEXPLAINED):
        return one
    return replace(one, reason=f"{one.reason} ({CULPRITS[culprit.name]})", fix=culprit.fix)


def _with_helper(one: Capability) -> Capability:
    fix = next((fix for sign, fix in _HELPER_FIXES.items() if sign in one.reason), None)
    return one if fix is None or one.available else replace(one, fix=fix)


def _capability(name: str, refused: str | None) -> Capability:
    why, fix = EXPLAINED[name]
    return Capability(name=name, available=refused is None, reason=refused or "tried, works", why=why, fix=fix)


def _mount_in_namespace(refused: Mapping[str, str | None]) -> Capability:
    """Sum up MOUNTS; where all are refused alike, the reason is said once."""
    failures = {name: refused[name] for name in MOUNTS if refused[name] is not None}
    reasons = sorted({str(reason) for reason in failures.values()})
    if len(failures) == len(MOUNTS) and len(reasons) == 1:
        text = reasons[0]
    else:
        text = "; ".join(f"{name}: {reason}" for name, reason in failures.items()) or "tried, works"
    return Capability(
        name="mount-in-namespace",
        available=not failures,
        reason=text,
        why="mkosi builds its sandbox from mounts of its own, and asks for no privilege to make them.",
        fix=_SECCOMP_FIX if not failures else EXPLAINED[next(iter(failures))][1],
    )
