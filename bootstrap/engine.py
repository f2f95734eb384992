"""The Docker engine: found, installed or started, or what to do said in one sentence."""

import os
import shlex
import subprocess
import time
from collections.abc import Mapping
from enum import Enum, auto
from pathlib import Path
from typing import Final

from bootstrap import debian_packages
from bootstrap.failures import RefusedError, SetupError
from bootstrap.programs import Outcome
from bootstrap.workplace import Workplace, has_systemd

_PATIENCE_SECONDS: Final = 60
# More options for a dockerd that the set-up starts, such as --data-root=/srv/docker.
OPTIONS_VARIABLE: Final = "CI_TOOLKIT_DOCKERD_OPTIONS"


class State(Enum):
    """What came of asking the engine for its version."""

    ANSWERS = auto()
    NO_CLIENT = auto()
    FORBIDDEN = auto()
    SILENT = auto()


def state_of(outcome: Outcome) -> State:
    """Read the answer to `docker version`."""
    if outcome.ok:
        return State.ANSWERS
    if outcome.code == 127:
        return State.NO_CLIENT
    return State.FORBIDDEN if "permission denied" in outcome.output.lower() else State.SILENT


def ensure(workplace: Workplace) -> None:
    """See to it that an engine answers; raise SetupError where that takes more than this user may do."""
    state = _ask(workplace)
    if state is State.ANSWERS:
        return
    endpoint = _endpoint(workplace)
    if not workplace.is_root or not endpoint.startswith("unix://"):
        raise RefusedError(*refusal(state, endpoint, workplace.environ))
    if state is State.NO_CLIENT or workplace.programs.find("dockerd") is None:
        with workplace.journal.step("Debian package docker.io"):
            debian_packages.require(
                workplace, ["docker.io"], "No Docker engine is installed", optional=["docker-cli", "iptables"]
            )
    if _ask(workplace) is not State.ANSWERS:
        with workplace.journal.step("Docker engine started"):
            _start(workplace, endpoint)


def refusal(state: State, endpoint: str, environ: Mapping[str, str]) -> tuple[str]:
    """Return the one sentence for a user who cannot be helped by installing or starting."""
    name = environ.get("USER") or environ.get("LOGNAME") or "$USER"
    install = f"run `sudo apt-get install docker.io && sudo usermod -aG docker {name}` and log in again"
    if state is State.NO_CLIENT:
        return (f"No Docker is installed: {install}, or call make as root.",)
    if not endpoint.startswith("unix://"):
        return (f"The Docker engine at {endpoint} does not answer: start it, or unset DOCKER_HOST and DOCKER_CONTEXT.",)
    if state is State.FORBIDDEN:
        return (f"You may not use the Docker engine: run `sudo usermod -aG docker {name}` and log in again.",)
    return ("The Docker engine does not run: run `sudo systemctl start docker`, or call make as root.",)


def _ask(workplace: Workplace) -> State:
    return state_of(workplace.programs.ask(["docker", "version", "--format", "{{.Server.Version}}"]))


def _endpoint(workplace: Workplace) -> str:
    named = workplace.environ.get("DOCKER_HOST")
    if named:
        return named
    answer = workplace.programs.ask(["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"])
    return answer.output.strip() if answer.ok and answer.output.strip() else "unix:///var/run/docker.sock"


def _start(workplace: Workplace, endpoint: str) -> None:
    """Start the engine by systemd where that runs, else detached from us, and wait until it answers."""
    if has_systemd() and endpoint.endswith("/run/docker.sock"):
        workplace.programs.run(["systemctl", "start", "docker"]).demand("systemd could not start Docker")
        _wait(workplace, None, "see `journalctl -u docker`")
        return
    _mount_control_groups(workplace)
    log = workplace.cache / "dockerd.log"
    options = shlex.split(workplace.environ.get(OPTIONS_VARIABLE, ""))
    argv = ["dockerd", "--host", endpoint, *options]
    workplace.journal.record(f"$ {shlex.join(argv)} > {log}\n")
    with log.open("ab") as output:
        daemon = subprocess.Popen(
            argv,
            env=workplace.programs.environ,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            umask=0o022,
        )
    _wait(workplace, daemon, f"see {log}")


def _wait(workplace: Workplace, daemon: "subprocess.Popen[bytes] | None", hint: str) -> None:
    limit = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < limit:
        if _ask(workplace) is State.ANSWERS:
            return
        if daemon is not None and daemon.poll() is not None:
            raise SetupError(f"dockerd ended with code {daemon.returncode}", hint=hint)
        time.sleep(0.5)
    raise SetupError(f"The Docker engine did not answer within {_PATIENCE_SECONDS} s", hint=hint)


def _mount_control_groups(workplace: Workplace) -> None:
    """Mount what dockerd cannot do without and a machine without systemd may lack."""
    kinds = [line.split()[2] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    if not any(kind.startswith("cgroup") for kind in kinds):
        debian_packages.require(workplace, ["cgroupfs-mount"], "No control groups are mounted")
        workplace.programs.run(["cgroupfs-mount"])


def build_surroundings(workplace: Workplace) -> dict[str, str]:
    """Return the variables under which `docker build` sees local images: the engine's own or the classic builder."""
    if not workplace.programs.ask(["docker", "buildx", "version"]).ok:
        return {"DOCKER_BUILDKIT": "0"}
    context = workplace.programs.ask(["docker", "context", "show"])
    builder = context.output.strip() if context.ok else "default"
    return {"BUILDX_BUILDER": builder, "BUILDKIT_PROGRESS": "plain"}


def image_label(workplace: Workplace, image: str, label: str) -> str | None:
    """Return the value of LABEL on the local IMAGE, "" where it has none, None where there is no such image."""
    form = f'{{{{index .Config.Labels "{label}"}}}}'
    answer = workplace.programs.ask(["docker", "image", "inspect", "--format", form, image])
    return answer.output.strip() if answer.ok else None


def image_id(workplace: Workplace, image: str) -> str | None:
    """Return the id of the local IMAGE, None where there is none."""
    answer = workplace.programs.ask(["docker", "image", "inspect", "--format", "{{.Id}}", image])
    return answer.output.strip() if answer.ok else None


def remove_superseded(workplace: Workplace, old: str | None, image: str) -> None:
    """Remove the image that had the name IMAGE before, unless it is still in use; a failure does not matter."""
    if old is not None and old != image_id(workplace, image):
        workplace.programs.run(["docker", "image", "rm", old])


def free_bytes(workplace: Workplace) -> int | None:
    """Return the space left where the engine keeps its images, None where that is not on this machine."""
    answer = workplace.programs.ask(["docker", "info", "--format", "{{.DockerRootDir}}"])
    try:
        status = os.statvfs(answer.output.strip())
    except OSError:
        return None
    return status.f_bavail * status.f_frsize
