import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from ci_toolkit import process
from ci_toolkit.process import Command, Completed
from ci_toolkit.records import tools


@dataclass
class Here:
    """A sandbox that is this machine; only what asks for versions runs in it."""

    late: bool = False

    def run(
        self, command: Command, *, on_line: Callable[[str], None] | None = None, timeout_seconds: float | None = None
    ) -> Completed:
        return process.run(command, timeout_seconds=timeout_seconds)


def packaged(package: str) -> str:
    """The upstream version that dpkg knows."""
    if shutil.which("dpkg-query") is None:
        pytest.skip("dpkg-query is needed")
    argv = ("dpkg-query", "--show", "--showformat=${Version}", package)
    completed = subprocess.run(argv, capture_output=True, text=True, check=False)
    if completed.returncode != 0:
        pytest.skip(f"{package} is not installed")
    return completed.stdout.split(":")[-1].split("-")[0].split("+")[0]


@pytest.mark.parametrize(("tool", "package"), [("mkfs.ext4", "e2fsprogs"), ("apt", "apt"), ("depmod", "kmod")])
def test_a_tool_has_the_version_that_the_package_manager_knows(tool: str, package: str) -> None:
    assert dict(tools.ask(Here(), "debian")).get(tool) == packaged(package)  # type: ignore[arg-type]


def test_only_the_package_manager_that_installs_is_asked() -> None:
    of_arch = dict(tools.ask(Here(), "arch"))  # type: ignore[arg-type]
    assert not {"apt", "dnf", "zypper", "git"} & set(of_arch)
