"""QEMU in a container of the toolkit's image, for a machine that has none: unprivileged, with /dev/kvm if there is."""

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ci_toolkit.console import Console
from ci_toolkit.errors import HostError
from ci_toolkit.host import kvm
from ci_toolkit.host.kvm import Accelerator
from ci_toolkit.runners import container
from ci_toolkit.runners.container import PYTHON, RUN_LABEL
from ci_toolkit.runners.runner import Request

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

# The firmware of the toolkit's image: its program, and its variables as they are at first.
UEFI: Final = (Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.fd"))
# The same with Secure Boot, and Microsoft's keys.
SECURE_BOOT: Final = (Path("/usr/share/OVMF/OVMF_CODE_4M.ms.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.ms.fd"))
# Where QEMU listens in the container for what comes to a port of this machine.
SSH: Final = ("0.0.0.0", 2222)

# QEMU beside a program that ends it when our connection closes, as it does with us, however we end.
_LEASH: Final = (
    *("sh", "-c"),
    'exec 3<&0; "$@" < /dev/null & child=$!; { cat <&3 > /dev/null; kill "$child"; } & wait "$child"',
    "sh",
)
# Asks in the container what `kvm.accelerator` finds there.
_ASK: Final = (
    "import json; from ci_toolkit.host import kvm; found = kvm.accelerator(); "
    "print(json.dumps([found.name, found.processor, found.reason]))"
)
_LAST_BYTES: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypervisor:
    """An image whose QEMU can be used, and how it runs guests."""

    request: Request
    image: str
    accelerator: Accelerator

    @property
    def description(self) -> str:
        return f"QEMU in a container of {self.image}"

    @contextmanager
    def start(
        self,
        argv: tuple[str, ...],
        *,
        writable: tuple[Path, ...],
        readable: tuple[Path, ...],
        port: tuple[str, int] | None,
    ) -> Iterator["Running"]:
        """Run ARGV in a container that has the paths WRITABLE and READABLE where they are here.

        What comes to PORT, an address of this machine, goes to SSH. WRITABLE's last takes temporary files.
        """
        labels = {RUN_LABEL: uuid.uuid4().hex}
        volumes = {os.fspath(path): {"bind": os.fspath(path), "mode": "rw"} for path in writable}
        volumes |= {os.fspath(path): {"bind": os.fspath(path), "mode": "ro"} for path in readable}
        with container.connected(self.request) as (client, kind):
            try:
                with container.refusals():
                    made = _create(
                        client, self.image, [*_LEASH, *argv], labels,
                        rootless="rootless" in kind.options, volumes=volumes,
                        environment={"TMPDIR": os.fspath(writable[-1])},
                        network_mode=None, ports={f"{SSH[1]}/tcp": port} if port else {}, stdin_open=True,
                    )  # fmt: skip
                    leash = closing(made.attach_socket(params={"stdin": 1, "stream": 1}))
                with leash:
                    with container.refusals():
                        made.start()
                    yield Running(container=made)
            finally:
                container.take_away(client, labels, self.request)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A container in which QEMU runs."""

    container: "Container"

    def exit_code(self) -> int | None:
        with container.refusals():
            self.container.reload()
        state = self.container.attrs["State"]
        return int(state["ExitCode"]) if state["Status"] in ("exited", "dead") else None

    def words(self) -> str:
        with container.refusals():
            said = bytes(self.container.logs(tail=20))[-_LAST_BYTES:].decode(errors="backslashreplace")
        lines = said.strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def probe(environ: Mapping[str, str], console: Console, scratch: Path) -> Hypervisor:
    """Return the toolkit's image as a place for QEMU. Raises HostError without an engine or without the image.

    SCRATCH is a directory of this machine that the engine has to see too.
    """
    request = Request(
        scratch=scratch, packages=scratch, console=console, environ=environ, rescue=lambda path: path, network=True
    )
    with container.connected(request) as (client, kind):
        labels = {RUN_LABEL: uuid.uuid4().hex}
        try:
            with container.refusals():
                image = container.find_image(client, request)
                rootless = "rootless" in kind.options
                made = _create(client, image, [PYTHON, "-c", _ASK], labels, rootless=rootless, network_mode="none")
                made.start()
                code = made.wait()["StatusCode"]
                said = bytes(made.logs(stdout=code == 0, stderr=code != 0)).decode(errors="backslashreplace")
        finally:
            container.take_away(client, labels, request)
    return Hypervisor(request=request, image=image, accelerator=_accelerator(code, said))


def _accelerator(code: int, said: str) -> Accelerator:
    if code != 0:
        last = (said.strip().splitlines() or ["it said nothing"])[-1]
        raise HostError(f"the toolkit's image cannot run QEMU: {last}", hint="Take a whole image of this release.")
    name, processor, reason = json.loads(said)
    return Accelerator(name=name, processor=processor, reason=reason)


def _create(
    client: "DockerClient", image: str, argv: list[str], labels: Mapping[str, str], *, rootless: bool, **options: Any
) -> "Container":
    """Make a container without capabilities, as the caller's own user: a rootless engine's root is the caller."""
    device = kvm.DEVICE
    has_kvm = os.access(device, os.R_OK | os.W_OK)
    return client.containers.create(
        image,
        entrypoint=argv[:1],
        command=argv[1:],
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        user="0:0" if rootless else f"{os.getuid()}:{os.getgid()}",
        group_add=[str(device.stat().st_gid)] if has_kvm and not rootless else [],
        devices=[f"{device}:{device}:rw"] if has_kvm else [],
        labels=dict(labels),
        **options,
    )
