"""The seccomp profile a container builds under: Docker's default, and the calls below.

This is the one place where the added system calls are listed and argued. Each acts only inside the user namespace
that the build makes for itself; none gives a capability over the host. Docker's default holds them back because
they widen the kernel surface that a container's program can reach.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ci_toolkit.errors import HostError

DOCKER_DEFAULT: Final = Path("/usr/lib/ci-toolkit/docker-default.json")

# System call -> why a build needs it.
ADDED: Final[Mapping[str, str]] = {
    "unshare": "makes the user, mount and UTS namespaces in which uid 0 may chown and mount",
    "clone": "bubblewrap-like sandboxes of package scripts start children in new namespaces",
    "clone3": "the same, as newer C libraries call it",
    "setns": "mkosi joins the user namespace of its own sandbox again",
    "mount": "mkosi builds its sandbox from bind mounts, tmpfs and overlays",
    "umount2": "and takes them away",
    "pivot_root": "and makes the result its root directory",
    "chroot": "package managers run maintainer scripts inside the image's tree",
    "open_tree": "the mount interface since Linux 5.2, which mkosi's sandbox calls directly",
    "move_mount": "attaches what open_tree and fsmount made",
    "mount_setattr": "makes a bind mount read-only or id-mapped, recursively",
    "fsopen": "configures a new file system (overlayfs with many layers) before mounting it",
    "fsconfig": "sets its options",
    "fsmount": "and makes it a mount",
    "fspick": "and changes a mounted one's options",
    "sethostname": "gives the build a host name of its own, so that the host's cannot leak",
}


def profile(default: Mapping[str, Any]) -> dict[str, Any]:
    """Return the seccomp profile DEFAULT (Docker's JSON format) with ADDED allowed without conditions.

    A call of ADDED is taken out of the conditional and refusing entries first: the engine would otherwise answer
    clone3 with ENOSYS before it sees the entry that allows it.
    """
    kept: list[dict[str, Any]] = []
    for entry in default["syscalls"]:
        names = [name for name in entry["names"] if name not in ADDED]
        if names:
            kept.append({**entry, "names": names})
    reasons = "; ".join(f"{name}: {why}" for name, why in ADDED.items())
    allowed = {"names": sorted(ADDED), "action": "SCMP_ACT_ALLOW", "comment": reasons}
    return {**default, "syscalls": [*kept, allowed]}


def load(path: Path = DOCKER_DEFAULT) -> str:
    """Return the profile as JSON text, generated from Docker's default at PATH.

    Raises HostError where that file is not there, being part of the toolkit's own image, or holds something else.
    """
    try:
        made = profile(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise HostError(
            f"Docker's default seccomp profile is not at {path}: {error.strerror}",
            hint="Run this verb in the toolkit's image: docker run --rm IMAGE seccomp > seccomp.json",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise HostError(
            f"{path} is not a seccomp profile in Docker's format", hint="Take a whole image of the toolkit."
        ) from error
    return json.dumps(made, indent=1) + "\n"
