"""What holds this process back: seccomp, AppArmor, and the limits that an administrator set on user namespaces."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ci_toolkit.host.capabilities import Capability
from ci_toolkit.host.namespaces import status_field

_MODES: Final = {"0": "off", "1": "strict", "2": "filter"}

# Sysctl below /proc/sys -> the value that forbids a build's user namespace, and what it is.
SWITCHES: Final[Mapping[str, tuple[str, str]]] = {
    "kernel/apparmor_restrict_unprivileged_userns": ("1", "Ubuntu's AppArmor takes capabilities away in them"),
    "kernel/unprivileged_userns_clone": ("0", "Debian's switch for them is off"),
    "user/max_user_namespaces": ("0", "none may be made at all"),
}


def seccomp(refused: Mapping[str, str], status: str | None = None) -> Capability:
    """Return whether a seccomp filter keeps a build's system calls back.

    REFUSED holds the calls that were answered otherwise than the kernel does, each with the answer; STATUS is the text
    of /proc/self/status.
    """
    mode = status_field("Seccomp", status) or "0"
    filters = status_field("Seccomp_filters", status)
    found = f"seccomp {_MODES.get(mode, mode)}" + (f", {filters} filters" if filters not in (None, "0") else "")
    if refused:
        answers = {answer: [name for name in refused if refused[name] == answer] for answer in refused.values()}
        found += "; " + "; ".join(f"{', '.join(names)}: {answer}" for answer, names in answers.items())
    else:
        found += "; lets the calls of a build through"
    return Capability(
        name="seccomp",
        available=not refused,
        reason=found,
        why="A container engine's default profile refuses unshare and mount, with which a build makes its sandbox.",
        fix="Start the container with `--security-opt seccomp=FILE`, FILE from `ci-toolkit seccomp`; on GitLab's "
        'Docker executor, security_opt = ["seccomp:FILE"] in the runner\'s config.toml.',
    )


def apparmor(root: Path = Path("/")) -> Capability:
    """Return whether AppArmor confines this process or restricts its user namespaces; ROOT is what /proc lies in."""
    profile = _read(root / "proc/self/attr/apparmor/current") or _apparmor_only(root) or "unconfined"
    confined = not profile.startswith("unconfined")
    return Capability(
        name="apparmor",
        available=not confined,
        reason=f"profile {profile}",
        why="A profile such as docker-default refuses every mount, also those inside a build's own namespace.",
        fix="Start the container with `--security-opt apparmor=unconfined`.",
    )


def switches(root: Path = Path("/")) -> Capability:
    """Return whether an administrator's sysctl below ROOT's /proc/sys forbids user namespaces to plain users."""
    values = {name: _read(root / "proc/sys" / name) for name in SWITCHES}
    against = [name for name, value in values.items() if value == SWITCHES[name][0]]
    shown = [f"{name.replace('/', '.')}={value}" for name, value in values.items() if value is not None]
    meaning = "".join(f" ({SWITCHES[name][1]})" for name in against)
    return Capability(
        name="user-namespace-sysctl",
        available=not against,
        reason=(", ".join(shown) or "no such sysctl here") + meaning,
        why="Without a user namespace, only root or a virtual machine can build; root in a container with "
        "CAP_SYS_ADMIN is not stopped by the first two.",
        fix=_fix(against),
    )


def _fix(against: list[str]) -> str:
    name = against[0] if against else "kernel/apparmor_restrict_unprivileged_userns"
    value = {"0": "1", "1": "0"}[SWITCHES[name][0]] if name != "user/max_user_namespaces" else "65536"
    return f"On the host, before the job: sudo sysctl -w {name.replace('/', '.')}={value}"


def _apparmor_only(root: Path) -> str | None:
    """Read the file that every security module shares, and believe it only where AppArmor is the one that answers."""
    if _read(root / "sys/module/apparmor/parameters/enabled") != "Y":
        return None
    return _read(root / "proc/self/attr/current")


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ") or None
    except OSError:
        return None
