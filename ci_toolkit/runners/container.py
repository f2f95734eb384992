"""Build in the toolkit's own image, started by Docker or Podman without privileges."""

import os
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ci_toolkit import process, settings
from ci_toolkit.errors import BuildError, HostError
from ci_toolkit.host import engine
from ci_toolkit.host.capabilities import Capabilities
from ci_toolkit.host.engine import Engine
from ci_toolkit.host.environment import VARIED, Environment
from ci_toolkit.host.namespaces import FULL_RANGE, covers, id_inside
from ci_toolkit.process import Command, Completed
from ci_toolkit.runners import podman
from ci_toolkit.runners.executed import Lines, execute
from ci_toolkit.runners.runner import EMPTY, INSIDE, Request, ToolkitImage
from ci_toolkit.runners.sandbox import NamespaceSandbox

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

NAME = "container"

# The image that `make image` builds, and the one that a release publishes; the first that there is gets used.
LOCAL_IMAGE: Final = "ci-toolkit:local"
PUBLISHED_IMAGE: Final = "ghcr.io/archlinux/mkosi-action:v1"
PYTHON: Final = "/opt/ci-toolkit/bin/python"

# On each container of a run, with a value of its own, so that one that was interrupted finds all of them.
RUN_LABEL: Final = "org.archlinux.ci-toolkit.run"

# What the engine answers for a container that is not there any more, and for one that is being removed.
_GONE: Final = 404
_BUSY: Final = 409
_REMOVAL_SECONDS: Final = 10

# A part of what Docker gives every container; nothing is added. SETUID, SETGID and SETFCAP are what the kernel asks
# of the one who writes an id map; the others hand the build's files to its root and back.
CAPABILITIES: Final = ("SETUID", "SETGID", "SETFCAP", "CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL")

# The container's first program: it takes leave of processes that lost their parent, and ends with its input, or when
# told to.
# Docker's own (init) is a mount below /usr, and the kernel then refuses mkosi's overlay on /usr, which a sandbox tree
# with a /usr, and RepositoryKeyFetch=, ask for.
_WAIT: Final = ("sh", "-c", "exec 3<&0; trap 'exit 0' TERM; cat <&3 > /dev/null & wait $!")

# What an engine complains of, and what mends it.
REMEDIES: Final[Mapping[str, str]] = {
    "rlimit": "In containers.conf below [containers], set default_ulimits to what this machine allows, such as "
    '["nofile=1024:1024", "nproc=1024:1024"].',
    "cgroups in hybrid mode": 'Install runc, and in containers.conf below [engine] set runtime = "runc".',
}


def obstacles(capabilities: Capabilities) -> tuple[str, ...]:
    """Return what keeps a container from being started here."""
    found = capabilities["container-engine"]
    return () if found.available else (f"{found.name}: {found.reason}",)


@contextmanager
def start(request: Request) -> Iterator["ContainerPlace"]:
    """Start a container of the toolkit's image and remove it at the end.

    Raises HostError when the engine cannot be reached, has no such image and cannot pull it, or refuses the container.
    """
    labels = {RUN_LABEL: uuid.uuid4().hex}
    place: ContainerPlace | None = None
    with connected(request) as (client, kind):
        try:
            with refusals():
                image = find_image(client, request)
                profile = _profile(client, image, labels)
            try:
                with ExitStack() as stack:
                    with refusals():
                        container = _create(client, kind, image, profile, labels, request)
                        # It goes on for as long as this is open, and this closes with us, however we end.
                        stack.enter_context(closing(container.attach_socket(params={"stdin": 1, "stream": 1})))
                        container.start()
                        place = _open(container, kind, _identity(client, image), request)
                    yield place
            finally:
                # Before the files go: an interrupted build must not go on writing meanwhile.
                take_away(client, labels, request)
                if place is not None:
                    _give_back(client, place, labels)
        finally:
            take_away(client, labels, request)


@contextmanager
def connected(request: Request) -> Iterator[tuple["DockerClient", Engine]]:
    """Connect to the engine that the probe found, or start a Podman that has no service."""
    from docker import from_env

    answer = engine.choose(request.environ, request.scratch)
    if answer.engine is None:
        raise HostError(f"no container engine answers: {answer.refused}", hint="See `ci-toolkit doctor`.")
    with ExitStack() as stack:
        address = answer.address
        if address == engine.NO_SERVICE:
            address = stack.enter_context(podman.service(request.environ, request.scratch.parent / "podman.log"))
        with refusals():
            client = from_env(environment={**request.environ, "DOCKER_HOST": address})
        stack.callback(client.close)
        yield client, answer.engine


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what the engine, or the way to it, says into a HostError."""
    from docker.errors import DockerException
    from requests import RequestException

    try:
        yield
    except (DockerException, RequestException) as error:
        said = str(error)
        remedy = next((mends for sign, mends in REMEDIES.items() if sign in said.lower()), "See `ci-toolkit doctor`.")
        raise HostError(f"the container engine refused: {said}", hint=remedy) from error


def take_away(client: "DockerClient", labels: Mapping[str, str], request: Request) -> None:
    """Remove every container of this run, also one that was being made when the run was interrupted."""
    wanted = [f"{name}={value}" for name, value in labels.items()]
    try:
        with refusals():
            for container in client.containers.list(all=True, filters={"label": wanted}, ignore_removed=True):
                _remove(container)
    except HostError as error:
        request.console.warn(f"a container of the build is not gone: {error.message}")


def _remove(container: "Container") -> None:
    """Remove CONTAINER, which the engine may be doing already, since it ended."""
    from docker.errors import APIError, NotFound

    try:
        container.remove(force=True, v=True)
    except APIError as error:
        if error.status_code not in (_GONE, _BUSY):
            raise
        if error.status_code == _BUSY:
            with suppress(NotFound):
                container.wait(condition="removed", timeout=_REMOVAL_SECONDS)


def find_image(client: "DockerClient", request: Request) -> str:
    """Return the name of the image to use, pulled if it has to be."""
    from docker.errors import APIError, ImageNotFound

    named = settings.value("image", request.environ)
    for name in (named,) if named else (LOCAL_IMAGE, PUBLISHED_IMAGE):
        try:
            client.images.get(name)
        except ImageNotFound:
            continue
        return name
    wanted = named or PUBLISHED_IMAGE
    request.console.say(f"Pulling {wanted}")
    try:
        client.images.pull(wanted)
    except APIError as error:
        raise HostError(
            f"the image {wanted} is not here and cannot be pulled: {error.explanation}",
            hint="Run `make image` in the toolkit's checkout, or name another image in CI_TOOLKIT_IMAGE.",
        ) from error
    return wanted


def held(names: Iterable[str], request: Request) -> str | None:
    """Return the first of NAMES, of images or their digests, that the engine has; None where none, or no engine."""
    from docker.errors import DockerException, ImageNotFound

    with suppress(HostError, DockerException), connected(request) as (client, _):
        for name in names:
            with suppress(ImageNotFound):
                client.images.get(name)
                return name
    return None


def _profile(client: "DockerClient", image: str, labels: Mapping[str, str]) -> str:
    """Return the seccomp profile that the image carries: it was made there, from Docker's default."""
    return _output(client, image, ["seccomp"], labels=labels)


def _output(client: "DockerClient", image: str, command: list[str], labels: Mapping[str, str], **options: Any) -> str:
    """Run COMMAND in a container of its own, without a network, and return what it wrote.

    The log is read when all is over: Podman's may end early for one who follows it.
    """
    container = client.containers.create(
        image, command, network_mode="none", cap_drop=["ALL"], labels=dict(labels), **options
    )
    try:
        container.start()
        exit_code = container.wait()["StatusCode"]
        if exit_code != 0:
            said = bytes(container.logs(stdout=False, stderr=True)).decode(errors="backslashreplace").strip()
            raise HostError(f"{' '.join(command)} failed in the image {image}: {said}", hint="Take a whole image.")
        return bytes(container.logs(stdout=True, stderr=False)).decode(errors="backslashreplace")
    finally:
        container.remove(force=True, v=True)


def _create(
    client: "DockerClient", kind: Engine, image: str, profile: str, labels: Mapping[str, str], request: Request
) -> "Container":
    if kind.name == "Podman":
        # It wants a file where Docker's interface wants what is in it.
        file = request.scratch.parent / "seccomp.json"
        file.write_text(profile, encoding="utf-8")
        profile = os.fspath(file)
    security = [f"seccomp={profile}", "no-new-privileges"]
    if "apparmor" in kind.options:
        # docker-default refuses every mount, also those inside the build's own namespace.
        security.append("apparmor=unconfined")
    return client.containers.create(
        image,
        entrypoint=list(_WAIT),
        stdin_open=True,
        auto_remove=True,
        cap_drop=["ALL"],
        cap_add=list(CAPABILITIES),
        security_opt=security,
        user="0:0",
        labels=dict(labels),
        volumes=_volumes(request),
        network_mode=None if request.network else "none",
    )


def _identity(client: "DockerClient", name: str) -> ToolkitImage:
    """Return what the engine knows the image NAME by."""
    found = client.images.get(name)
    digests = (found.attrs.get("RepoDigests") or ()) if isinstance(found.attrs, dict) else ()
    whole = f"{found.id}" if f"{found.id}".startswith("sha256:") else f"sha256:{found.id}"
    return ToolkitImage(name=name, id=whole, digests=tuple(sorted(map(str, digests))))


def _open(container: "Container", kind: Engine, image: ToolkitImage, request: Request) -> "ContainerPlace":
    """Look at the ids of the running CONTAINER: a rootless engine's are a part of the machine's, in other places."""
    output, errors = Lines(on_line=None), Lines(on_line=None)
    execute(container, ("sh", "-c", "cat /proc/self/uid_map; echo; cat /proc/self/gid_map"), "/", (output, errors))
    maps = output.close().split("\n\n")
    if not all(covers(text, 0, FULL_RANGE) for text in maps):
        raise HostError(
            f"the engine's containers have fewer than {FULL_RANGE:,} ids",
            hint="Grant the user who runs it that many in /etc/subuid and /etc/subgid.",
        )
    caller = [id_inside(text, ours) for text, ours in zip(maps, (os.getuid(), os.getgid()), strict=True)]
    return ContainerPlace(
        container=container,
        engine=kind,
        toolkit_image=image,
        request=request,
        shifts=all(covers(text, VARIED.first_id, FULL_RANGE) for text in maps),
        caller=(caller[0] or 0, caller[1] or 0),
    )


def _give_back(client: "DockerClient", place: "ContainerPlace", labels: Mapping[str, str]) -> None:
    """Empty the scratch directory and give the package cache to the caller, where he could not do it himself."""
    if os.getuid() == 0:
        return
    user, group = place.caller
    try:
        with refusals():
            _output(
                client,
                place.toolkit_image.name,
                ["-c", f"{EMPTY}; chown -R {user}:{group} {INSIDE}"],
                labels,
                entrypoint="sh",
                cap_add=["CHOWN", "DAC_OVERRIDE", "FOWNER"],
                volumes=_volumes(place.request),
            )
    except HostError as error:
        place.request.console.warn(f"the build's files were not given back: {error.message}")


def _volumes(request: Request) -> dict[str, dict[str, str]]:
    mounts = ((request.scratch, INSIDE), (request.packages, INSIDE / "packages"))
    return {os.fspath(outside): {"bind": os.fspath(inside), "mode": "rw"} for outside, inside in mounts}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPlace:
    """A running container of the toolkit's image.

    `shifts` tells whether it has the ids for a build whose root is another one; `caller` is the user and group of
    whoever called, as the container sees them.
    """

    container: "Container"
    engine: Engine
    toolkit_image: ToolkitImage
    request: Request
    shifts: bool
    caller: tuple[int, int]

    one_at_a_time = None

    @property
    def cannot_vary(self) -> Mapping[str, str]:
        return (
            {}
            if self.shifts
            else {"uid": f"the containers of a rootless engine have no ids from {VARIED.first_id:,} on"}
        )

    @property
    def emulated(self) -> bool:
        return False

    @property
    def description(self) -> str:
        which = f"{self.engine.name} {self.engine.version}" + (", rootless" if self._is_rootless() else "")
        return (
            f"container: {self.toolkit_image.name} in {which}, not privileged, capabilities {', '.join(CAPABILITIES)}"
        )

    def _is_rootless(self) -> bool:
        return "rootless" in self.engine.options

    def stop(self) -> None:
        """End every program that runs here, and the container with them."""
        with suppress(HostError), refusals():
            self.container.kill()

    @property
    def notes(self) -> tuple[str, ...]:
        return ()

    def sandbox(self, environment: Environment) -> NamespaceSandbox:
        """Return a sandbox in the container with the surroundings ENVIRONMENT."""
        return NamespaceSandbox(
            environment=environment,
            execute=self.execute,
            attach_by=self.attach,
            python=PYTHON,
            scratch=self.request.scratch,
            packages=self.request.packages,
            bind=False,
            may_chown=True,
            caller=self.caller,
        )

    def execute(
        self, command: Command, on_line: Callable[[str], None] | None, timeout_seconds: float | None
    ) -> Completed:
        """Run COMMAND as the container's root and wait for it; see process.run. Raises BuildError when it is gone.

        Of one that is late the whole container is ended.
        """
        # The engine would add the image's own environment.
        variables = (f"{name}={value}" for name, value in command.environment.items())
        argv = ("env", "--ignore-environment", *variables, *command.argv)
        streams = (Lines(on_line=on_line), Lines(on_line=on_line))
        with refusals(), self._ended_after(timeout_seconds) as late:
            code = execute(self.container, argv, os.fspath(command.directory or "/"), streams)
        if code is None and not late.is_set():
            raise BuildError("the build's container ended before the build", hint="Did it run out of memory?")
        stdout, stderr = (lines.close() for lines in streams)
        exit_code = 124 if late.is_set() or code is None else code
        return Completed(command=command, exit_code=exit_code, stdout=stdout, stderr=stderr, late=late.is_set())

    def attach(self, command: Command) -> int:
        """Run COMMAND as the container's root at the caller's terminal, by the engine's own program."""
        program = engine.client(self.engine, self.request.environ)
        variables = (f"{name}={value}" for name, value in command.environment.items())
        inside = ("env", "--ignore-environment", *variables, *command.argv)
        argv = (*program.argv, "exec", "--interactive", "--tty", str(self.container.id), *inside)
        code = process.attach(Command(argv=argv, environment=program.environment))
        if code == 127:
            raise HostError(f"the program {program.argv[0]} is not there, or not the shell", hint="Install it.")
        return code

    @contextmanager
    def _ended_after(self, seconds: float | None) -> Iterator[threading.Event]:
        """End the container when the context takes longer than SECONDS, which the event then tells."""
        late = threading.Event()

        def end() -> None:
            late.set()
            try:
                with refusals():
                    _remove(self.container)
            except HostError as error:
                self.request.console.warn(f"the build's container could not be ended: {error.message}")

        timer = None if seconds is None else threading.Timer(seconds, end)
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            yield late
        finally:
            if timer is not None:
                timer.cancel()
