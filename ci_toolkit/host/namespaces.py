"""User namespaces: the id maps, by hand or by newuidmap, and why they were refused."""

import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_toolkit import process
from ci_toolkit.process import MINIMAL, Command

# A distribution hands out ids below this (systemd's own users among them), so a build needs all of them.
FULL_RANGE: Final = 65_536

# Numbers of linux/capability.h, which are also the bits of CapEff in /proc/PID/status.
CAPABILITIES: Final = {"CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_SYS_ADMIN": 21, "CAP_SETFCAP": 31}

_NEWUIDMAP_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IdRange:
    """Ids FIRST to FIRST + COUNT - 1, as /etc/subuid grants them."""

    first: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What differs between users and groups."""

    noun: str
    map_file: str
    capability: str
    helper: str
    grants: Path


_USERS: Final = Kind(
    noun="user", map_file="uid_map", capability="CAP_SETUID", helper="newuidmap", grants=Path("/etc/subuid")
)
_GROUPS: Final = Kind(
    noun="group", map_file="gid_map", capability="CAP_SETGID", helper="newgidmap", grants=Path("/etc/subgid")
)


def write_id_maps(pid: int, *, first_id: int, count: int = FULL_RANGE) -> str | None:
    """Give the process PID, which has unshared its user namespace, COUNT ids; return None, or why that was refused.

    Where we may, ids 0 to COUNT - 1 inside are FIRST_ID and the following outside (user_namespaces(7): the writer
    needs CAP_SETUID and CAP_SETGID, and CAP_SETFCAP when id 0 outside is among them). Otherwise newuidmap and
    newgidmap are asked: then 0 inside is the caller, whatever FIRST_ID says, and the rest come from /etc/subuid.
    """
    writer = _write_directly if may_write_maps() else _ask_helper
    return writer(pid, _USERS, first_id, count) or writer(pid, _GROUPS, first_id, count)


def write_single_id_map(pid: int) -> str | None:
    """Make the caller's own ids 0 in the namespace of PID and map no other; return None, or why not.

    The kernel allows it to everybody, once setgroups is given up in that namespace.
    """
    entries = (("setgroups", "deny"), ("uid_map", f"0 {os.geteuid()} 1"), ("gid_map", f"0 {os.getegid()} 1"))
    return next((refused for name, text in entries if (refused := _write(pid, name, text))), None)


def may_write_maps(status: str | None = None) -> bool:
    """Tell whether this process may write any id map: CAP_SETUID and CAP_SETGID are effective in STATUS (of /proc)."""
    held = effective_capabilities(status)
    return "CAP_SETUID" in held and "CAP_SETGID" in held


def effective_capabilities(status: str | None = None) -> frozenset[str]:
    """Return those of CAPABILITIES that are effective in STATUS, the text of /proc/PID/status (default: our own)."""
    bits = int(status_field("CapEff", status) or "0", 16)
    return frozenset(name for name, number in CAPABILITIES.items() if bits >> number & 1)


def status_field(name: str, status: str | None = None) -> str | None:
    """Return the field NAME of STATUS, the text of /proc/PID/status (default: our own), or None."""
    text = Path("/proc/self/status").read_text(encoding="utf-8") if status is None else status
    lines = (line.partition(":") for line in text.splitlines())
    return next((value.strip() for key, _, value in lines if key == name), None)


def parse_grants(text: str, *, user: str, user_id: int) -> tuple[IdRange, ...]:
    """Return the ranges that TEXT (subuid(5), `name-or-number:first:count` lines) grants; odd lines grant nothing."""
    found = []
    for line in text.splitlines():
        owner, _, rest = line.strip().partition(":")
        first, _, count = rest.partition(":")
        if owner in (user, str(user_id)) and first.isdecimal() and count.isdecimal():
            found.append(IdRange(first=int(first), count=int(count)))
    return tuple(found)


def helper_arguments(pid: int, own_id: int, ranges: tuple[IdRange, ...], count: int) -> tuple[str, ...] | None:
    """Return newuidmap's arguments for COUNT ids: OWN_ID as 0, then RANGES; None when they hold too few."""
    arguments = [str(pid), "0", str(own_id), "1"]
    inside = 1
    for granted in ranges:
        take = min(granted.count, count - inside)
        if take > 0:
            arguments += [str(inside), str(granted.first), str(take)]
            inside += take
    return tuple(arguments) if inside == count else None


def _write_directly(pid: int, kind: Kind, first_id: int, count: int) -> str | None:
    ours = Path(f"/proc/self/{kind.map_file}").read_text(encoding="ascii")
    refused = _write(pid, kind.map_file, "\n".join(direct_map(ours, first_id, count)))
    if refused is None:
        return None
    if first_id == 0 and "CAP_SETFCAP" not in effective_capabilities():
        return f"{refused} (mapping id 0 needs CAP_SETFCAP, which this process does not have)"
    if not covers(ours, first_id, count):
        return (
            f"{refused} (this process is in a namespace without {kind.noun} ids {first_id} to {first_id + count - 1})"
        )
    return refused


def direct_map(map_text: str, first_id: int, count: int) -> tuple[str, ...]:
    """Return the lines that map ids 0 to COUNT - 1 to FIRST_ID and the following, in a namespace of MAP_TEXT's ids.

    The kernel refuses a line that reaches over the border of two extents of the namespace above; a rootless engine's
    containers have such a border behind their root. What MAP_TEXT lacks stays in the lines, for the kernel to refuse.
    """
    borders = {int(line.split()[0]) for line in map_text.splitlines()}
    starts = sorted({first_id, *(border for border in borders if first_id < border < first_id + count)})
    ends = [*starts[1:], first_id + count]
    return tuple(f"{start - first_id} {start} {end - start}" for start, end in zip(starts, ends, strict=True))


def covers(map_text: str, first_id: int, count: int) -> bool:
    """Tell whether MAP_TEXT, the text of an id map of /proc, maps ids FIRST_ID to FIRST_ID + COUNT - 1 inside."""
    extents = sorted(
        (int(inside), int(length)) for inside, _, length in (line.split() for line in map_text.splitlines())
    )
    reached = first_id
    for inside, length in extents:
        if inside <= reached < inside + length:
            reached = inside + length
    return reached >= first_id + count


def id_inside(map_text: str, outside_id: int) -> int | None:
    """Return what MAP_TEXT, the text of an id map of /proc, makes of OUTSIDE_ID; None where it leaves that out."""
    for inside, outside, length in (map(int, line.split()) for line in map_text.splitlines()):
        if outside <= outside_id < outside + length:
            return inside + outside_id - outside
    return None


def _write(pid: int, name: str, text: str) -> str | None:
    """Write a map in the one call that the kernel wants."""
    try:
        descriptor = os.open(f"/proc/{pid}/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode("ascii"))
        finally:
            os.close(descriptor)
    except OSError as error:
        return f"writing {text!r} to {name}: {error.strerror}"
    return None


def _ask_helper(pid: int, kind: Kind, first_id: int, count: int) -> str | None:
    """Have newuidmap or newgidmap write the map; FIRST_ID cannot be chosen there."""
    user_id = os.geteuid()
    user = _user_name(user_id)
    try:
        text = kind.grants.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"no {kind.capability}, and {kind.grants}: {error.strerror}"
    ranges = parse_grants(text, user=user, user_id=user_id)
    if not ranges:
        return f"no {kind.capability}, and {kind.grants} grants nothing to {user}"
    own_id = user_id if kind is _USERS else os.getegid()
    arguments = helper_arguments(pid, own_id, ranges, count)
    if arguments is None:
        return f"{kind.grants} grants {user} {sum(r.count for r in ranges)} ids; {count - 1} are needed"
    completed = process.run(Command(argv=(kind.helper, *arguments)), timeout_seconds=_NEWUIDMAP_SECONDS)
    return None if completed.ok else _explain_helper(kind, completed.exit_code, completed.stderr.strip())


def _explain_helper(kind: Kind, exit_code: int, said: str) -> str:
    if exit_code == 127:
        return f"no {kind.capability}, and {kind.helper} is not installed"
    if status_field("NoNewPrivs") == "1":
        return f"{said or kind.helper} (under no_new_privs {kind.helper} gains nothing)"
    if "Operation not permitted" in said and _is_set_user_id(kind.helper):
        # It stays euid 0, which does not own the namespace; only CAP_SYS_ADMIN would make up for that.
        capability = f"{kind.capability.lower()}=ep"
        return (
            f"{said} (in a container, {kind.helper} needs the file capability {capability} instead of its setuid bit)"
        )
    return said or f"{kind.helper}: exit code {exit_code}"


def _is_set_user_id(program: str) -> bool:
    found = shutil.which(program, path=MINIMAL["PATH"])
    return found is not None and bool(Path(found).stat().st_mode & stat.S_ISUID)


def _user_name(user_id: int) -> str:
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)
