"""A build's sandbox: each command becomes root of a fresh user namespace, in the surroundings it was given."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ci_toolkit.errors import HostError
from ci_toolkit.host.environment import Environment
from ci_toolkit.process import MINIMAL, Command, Completed
from ci_toolkit.runners.launch import Surroundings
from ci_toolkit.runners.runner import INSIDE

# A command, who is given its lines, and how many seconds it may take; see process.run.
Execute = Callable[[Command, Callable[[str], None] | None, float | None], Completed]
# A command that is run at the caller's terminal; see process.attach.
Attach = Callable[[Command], int]


def unattached(_command: Command) -> int:
    """Refuse a command at the caller's terminal, where there is no way to it."""
    raise HostError(
        "the virtual machine has no terminal for people",
        hint="Choose --runner unprivileged or container; all of them build the same.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceSandbox:
    """Commands run through `launch`, started by `execute` in the container or on this machine.

    `scratch` is the directory that appears as INSIDE and `packages` the one that appears as INSIDE / "packages";
    `bind` is false where they already do (a container's mounts).
    `may_chown` tells whether files can be given to `environment.first_id`; without it they are the caller's, who is
    root inside. `caller` is the user and group of whoever called, as `execute` sees them. `all_ids` is false where the
    namespace has no id but the caller's. `attach_by` starts what is to run at the caller's terminal.
    """

    environment: Environment
    execute: Execute
    python: str
    scratch: Path
    packages: Path
    bind: bool
    may_chown: bool
    caller: tuple[int, int]
    all_ids: bool = True
    attach_by: Attach = unattached

    def run(
        self,
        command: Command,
        *,
        on_line: Callable[[str], None] | None = None,
        timeout_seconds: float | None = None,
    ) -> Completed:
        """Run COMMAND as root of the namespace; see process.Sandbox."""
        return replace(self.execute(self._launched(command), on_line, timeout_seconds), command=command)

    def attach(self, command: Command) -> int:
        """Run COMMAND as root of the namespace at the caller's terminal; see process.Sandbox."""
        return self.attach_by(self._launched(command))

    def _launched(self, command: Command) -> Command:
        surroundings = Surroundings(
            first_id=self.environment.first_id if self.all_ids else None,
            hostname=self.environment.hostname,
            cpus=self.environment.cpus,
            umask=self.environment.umask,
            binds=self._binds(),
            directory=os.fspath(command.directory or INSIDE),
        )
        launch = (self.python, "-I", "-m", "ci_toolkit.runners.launch", surroundings.argument(), "--")
        return Command(argv=(*launch, *command.argv), environment=dict(command.environment), secrets=command.secrets)

    def copy_in(self, source: Path, target: Path) -> None:
        """Copy SOURCE to TARGET (a path inside) and give everything there to the build's root."""
        outside = self._outside(target)
        for directory in reversed([path for path in outside.parents if not path.exists()]):
            directory.mkdir()
            directory.chmod(0o755)
        if source.is_dir():
            shutil.copytree(source, outside, symlinks=True)
        else:
            shutil.copy2(source, outside)
        self.own(target)

    def copy_out(self, source: Path, target: Path) -> None:
        """Move SOURCE (a path inside) to TARGET and give everything to whoever called."""
        self.give_back(source)
        shutil.move(self._outside(source), target)

    def make(self, *directories: Path) -> None:
        """Make DIRECTORIES (paths inside) for the build's root."""
        self._demand("mkdir", "--parents", places=directories)
        self.own(*directories)

    def share(self, source: Path, target: Path) -> None:
        """Copy what SOURCE has and TARGET lacks (both inside), for the build's root."""
        self._demand("cp", "--archive", "--update", "--no-target-directory", places=(source, target))
        self.own(target)

    def own(self, *places: Path) -> None:
        """Give PLACES (paths inside) to the build's root."""
        if self.may_chown:
            number = self.environment.first_id
            self._demand("chown", "--recursive", "--no-dereference", f"{number}:{number}", places=places)

    def give_back(self, place: Path) -> None:
        """Give PLACE (a path inside) to whoever called: files of other ids he could neither move nor remove."""
        owner = ":".join(map(str, self.caller)) if self.may_chown else "0:0"
        self._demand("chown", "--recursive", "--no-dereference", owner, places=(place,))

    def _demand(self, *words: str, places: tuple[Path, ...]) -> None:
        """Do what WORDS say with PLACES, as who may change owners: who called, or else the build's root."""
        seen = [os.fspath(self._outside(place) if self.may_chown and self.bind else place) for place in places]
        command = Command(argv=(*words, "--", *seen), environment=MINIMAL)
        completed = self.execute(command, None, None) if self.may_chown else self.run(command)
        if not completed.ok:
            raise HostError(f"{command.shown()} failed: {completed.stderr.strip()}", hint="See `ci-toolkit doctor`.")

    def _outside(self, path: Path) -> Path:
        """Return where PATH, below INSIDE, lies for the caller. Raises ValueError for one that leads elsewhere."""
        relative = path.relative_to(INSIDE)
        if ".." in relative.parts:
            raise ValueError(f"{path} is not in the subpath of {INSIDE}")
        in_packages = path.is_relative_to(INSIDE / "packages")
        return self.packages / path.relative_to(INSIDE / "packages") if in_packages else self.scratch / relative

    def _binds(self) -> tuple[tuple[str, str], ...]:
        """Return what of this machine appears in the build; a container's mounts come with what they are mounted in."""
        if not self.bind:
            return ((os.fspath(INSIDE), os.fspath(INSIDE)),)
        return tuple((os.fspath(outside), os.fspath(inside)) for outside, inside in self._mounts())

    def _mounts(self) -> tuple[tuple[Path, Path], ...]:
        return ((self.scratch, INSIDE), (self.packages, INSIDE / "packages"))
