import copy
import json
from pathlib import Path
from typing import Any

import pytest

from ci_toolkit.errors import HostError
from ci_toolkit.runners import seccomp

# As Docker's default is made: plain entries, entries for a capability, refusals with another errno, argument filters.
DEFAULT: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 1,
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
    "syscalls": [
        {"names": ["read", "write", "openat"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["mount", "bpf", "unshare"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
        {
            "names": ["clone"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": 2114060288, "op": "SCMP_CMP_MASKED_EQ"}],
        },
        {"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]},
    ],
}


def rules(profile: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """System call -> everything that PROFILE says of it, in its order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in profile["syscalls"]:
        for name in entry["names"]:
            found.setdefault(name, []).append(
                {key: value for key, value in entry.items() if key not in ("names", "comment")}
            )
    return found


def test_every_added_call_is_allowed_without_conditions_and_by_nothing_else() -> None:
    made = rules(seccomp.profile(DEFAULT))
    assert {name: made[name] for name in seccomp.ADDED} == {
        name: [{"action": "SCMP_ACT_ALLOW"}] for name in seccomp.ADDED
    }


def test_every_other_call_keeps_its_rules() -> None:
    before, after = rules(DEFAULT), rules(seccomp.profile(DEFAULT))
    assert {name: after[name] for name in after if name not in seccomp.ADDED} == {
        name: before[name] for name in before if name not in seccomp.ADDED
    }


def test_no_entry_is_left_without_a_call_and_the_rest_of_the_profile_stays() -> None:
    made = seccomp.profile(DEFAULT)
    assert all(entry["names"] for entry in made["syscalls"])
    assert {key: made[key] for key in made if key != "syscalls"} == {
        key: DEFAULT[key] for key in DEFAULT if key != "syscalls"
    }


def test_the_default_that_is_given_is_not_changed() -> None:
    before = copy.deepcopy(DEFAULT)
    seccomp.profile(DEFAULT)
    assert before == DEFAULT


def test_every_reason_reaches_the_reader_of_the_profile() -> None:
    comment = seccomp.profile(DEFAULT)["syscalls"][-1]["comment"]
    assert all(f"{name}: {reason}" in comment for name, reason in seccomp.ADDED.items())


@pytest.mark.parametrize("name", ["ptrace", "bpf", "init_module", "finit_module", "kexec_load", "reboot", "mknod"])
def test_a_call_that_reaches_beyond_a_namespace_is_never_added(name: str) -> None:
    assert name not in seccomp.ADDED


def test_the_profile_is_json_text(tmp_path: Path) -> None:
    (tmp_path / "default.json").write_text(json.dumps(DEFAULT))
    assert json.loads(seccomp.load(tmp_path / "default.json")) == seccomp.profile(DEFAULT)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"syscalls": [{}]}', '{"syscalls": 1}', "\udcff"])
def test_a_default_that_is_no_profile_is_an_error_with_its_path(tmp_path: Path, text: str) -> None:
    (tmp_path / "default.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(HostError, match=r"default\.json"):
        seccomp.load(tmp_path / "default.json")


def test_outside_the_toolkits_image_the_hint_says_where_the_profile_is(tmp_path: Path) -> None:
    with pytest.raises(HostError) as missing:
        seccomp.load(tmp_path / "gone.json")
    assert "docker run" in (missing.value.hint or "")
