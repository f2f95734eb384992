"""A build's sandbox: each command becomes root of a fresh user namespace, in the surroundings it was given."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ci_toolkit.errors import HostError
from ci_toolkit.host.environment import Environment
from ci_toolkit.process import MINIMAL, Command, Completed
from ci_toolkit.runners.launch import Surroundings
from ci_toolkit.runners.runner import INSIDE

Execute = Callable[[Command, Callable[[str], None] | None], Completed]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceSandbox:
    """Commands run through `launch`, started by `execute` in the container or on this machine.

    `scratch` is the directory that appears as INSIDE and `packages` the one that appears as INSIDE / "packages";
    `bind` is false where they already do (a container's mounts).
    `may_chown` tells whether files can be given to `environment.first_id`; without it they are the caller's, who is
    root inside.
    """

    environment: Environment
    execute: Execute
    python: str
    scratch: Path
    packages: Path
    bind: bool
    may_chown: bool

    def run(self, command: Command, *, on_line: Callable[[str], None] | None = None) -> Completed:
        """Run COMMAND as root of the namespace; see process.Sandbox."""
        surroundings = Surroundings(
            first_id=self.environment.first_id,
            hostname=self.environment.hostname,
            cpus=self.environment.cpus,
            umask=self.environment.umask,
            binds=tuple((os.fspath(outside), os.fspath(inside)) for outside, inside in self._mounts() if self.bind),
            directory=os.fspath(command.directory or INSIDE),
        )
        launch = (self.python, "-I", "-m", "ci_toolkit.runners.launch", surroundings.argument(), "--")
        started = Command(argv=(*launch, *command.argv), environment=dict(command.environment), secrets=command.secrets)
        completed = self.execute(started, on_line)
        return Completed(
            command=command,
            exit_code=completed.exit_code,
            stdout=completed.stdout,
            stderr=completed.stderr,
        )

    def copy_in(self, source: Path, target: Path) -> None:
        """Copy SOURCE to TARGET (a path inside) and give everything there to the build's root."""
        outside = self._outside(target)
        outside.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, outside, symlinks=True)
        else:
            shutil.copy2(source, outside)
        self.give(self.environment.first_id, self.environment.first_id)

    def copy_out(self, source: Path, target: Path) -> None:
        """Move SOURCE (a path inside) to TARGET and give everything to whoever called."""
        if self.may_chown:
            self.give(os.getuid(), os.getgid())
        else:
            self._give_from_inside(source)
        shutil.move(self._outside(source), target)

    def give(self, user: int, group: int) -> None:
        """Change the owner of all that the build can reach, as seen by `execute`."""
        if not self.may_chown:
            return
        trees = [os.fspath(outside if self.bind else inside) for outside, inside in self._mounts()]
        chown = Command(
            argv=("chown", "--recursive", "--no-dereference", f"{user}:{group}", *trees), environment=MINIMAL
        )
        completed = self.execute(chown, None)
        if not completed.ok:
            raise HostError(f"{chown.shown()} failed: {completed.stderr.strip()}", hint="See `ci-toolkit doctor`.")

    def _give_from_inside(self, path: Path) -> None:
        """Give PATH to root inside, who is the caller: files of other ids there could be neither moved nor removed."""
        argv = ("chown", "--recursive", "--no-dereference", "0:0", os.fspath(path))
        completed = self.run(Command(argv=argv, environment=MINIMAL))
        if not completed.ok:
            raise HostError(
                f"{path} could not be given back: {completed.stderr.strip()}", hint="See `ci-toolkit doctor`."
            )

    def _outside(self, path: Path) -> Path:
        """Return where PATH, below INSIDE, lies for the caller. Raises ValueError for one that leads elsewhere."""
        relative = path.relative_to(INSIDE)
        if ".." in relative.parts:
            raise ValueError(f"{path} is not in the subpath of {INSIDE}")
        return self.scratch / relative

    def _mounts(self) -> tuple[tuple[Path, Path], ...]:
        return ((self.scratch, INSIDE), (self.packages, INSIDE / "packages"))
