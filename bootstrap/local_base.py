"""The local base image: Debian's own, set up to fetch packages as this machine does."""

import hashlib
import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Final

from bootstrap import base_image, engine
from bootstrap.failures import SetupError, diagnose, says_expired
from bootstrap.machine import INSIDE, Machine
from bootstrap.programs import Outcome
from bootstrap.workplace import Workplace

# Also on every image that is built on it, and so on what the classic builder keeps of a build's earlier stages.
LABEL: Final = "org.archlinux.ci-toolkit.base"
_PARENT_LABEL: Final = "org.archlinux.ci-toolkit.parent"
_NOT_CARRIED: Final = 42

# Runs in the container: takes of the usual suites those that the machine's mirror carries, then proves that apt works.
_SCRIPT: Final = r"""
set -u
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
release=$1
mirror=$(cat /etc/ci-toolkit/machine/mirror 2>/dev/null)
offer() {
    /usr/lib/apt/apt-helper -o APT::Sandbox::User=root download-file "$1/dists/$2/InRelease" /tmp/InRelease || return 1
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n\n' \
        "$1" "$2" /usr/share/keyrings/debian-archive-keyring.gpg >> /tmp/debian.sources
}
rm -f /tmp/debian.sources
if [ -n "$mirror" ]; then
    offer "$mirror" "$release" || exit 42
    offer "$mirror" "$release-updates"
    offer "${mirror%/debian}/debian-security" "$release-security"
    rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
    install -m 0644 /tmp/debian.sources /etc/apt/sources.list.d/debian.sources
fi
apt-get update -q -o Acquire::Languages=none -o APT::Update::Error-Mode=any || exit 1
apt-get check -q || apt-get install -y -q -f || exit 1
apt-get clean
rm -rf /tmp/InRelease /tmp/debian.sources /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log
"""


def name_of(release: str) -> str:
    """Return the local image's name for the Debian RELEASE."""
    return f"ci-toolkit-base:{release}"


def ensure(workplace: Workplace, machine: Machine, release: str) -> str:
    """Return the id of the local base for RELEASE, made anew when the machine's settings or Debian's image changed."""
    name = name_of(release)
    inputs = hashlib.sha256(f"{machine.digest()}{_SCRIPT}".encode()).hexdigest()
    present = engine.image_id(workplace, name)
    if present is not None and engine.image_label(workplace, name, LABEL) == inputs:
        parent = engine.image_id(workplace, base_image.name_of(release))
        if parent in (None, engine.image_label(workplace, name, _PARENT_LABEL)):
            workplace.journal.reused(f"local base image {name}")
            return present
    parent = base_image.ensure(workplace, machine, release)
    with workplace.journal.step(f"local base image {name}, with this machine's apt, pip and certificates"):
        if machine.left_behind:
            left = "; ".join(machine.left_behind)
            workplace.journal.note(f"left out of the container, since it lies on this machine's disk: pip's {left}")
        _derive(workplace, machine, release, {LABEL: inputs, _PARENT_LABEL: parent})
    made = engine.image_id(workplace, name)
    assert made is not None
    return made


def forget_older(workplace: Workplace, release: str) -> None:
    """Remove what builds on an earlier local base left behind: images without a name, and not the present cache."""
    present = engine.image_label(workplace, name_of(release), LABEL)
    if present:
        filters = ["--filter", f"label={LABEL}", "--filter", f"label!={LABEL}={present}"]
        workplace.programs.run(["docker", "image", "prune", "--force", *filters])


def _derive(workplace: Workplace, machine: Machine, release: str, labels: dict[str, str]) -> None:
    with _container(workplace, machine, release) as container:
        outcome = _try(workplace, container, luggage(machine))
        if says_expired(outcome.output):
            workplace.journal.note(
                f"the mirror's release lists of {release} are past their date; in the local images apt ignores the "
                "date (signatures are still checked)"
            )
            outcome = _try(workplace, container, luggage(machine, expired=True))
        if outcome.code == _NOT_CARRIED:
            raise SetupError(
                f"{machine.mirror} does not offer Debian {release}",
                hint=diagnose(outcome.output) or "Take a release that it offers: make DEBIAN_RELEASE=… image.",
            )
        outcome.demand(f"apt does not work in a container of {base_image.name_of(release)}")
        changes = ['CMD ["bash"]', *(f"LABEL {key}={value}" for key, value in labels.items())]
        options = [word for change in changes for word in ("--change", change)]
        workplace.programs.run(["docker", "commit", *options, container, name_of(release)]).demand(
            "The engine did not keep the local base image"
        )


def _try(workplace: Workplace, container: str, archive: bytes) -> Outcome:
    workplace.programs.run(["docker", "cp", "-", f"{container}:/"], stdin=archive).demand(
        "The engine did not take this machine's settings"
    )
    return workplace.programs.run(["docker", "start", "--attach", container], timeout_seconds=900)


@contextmanager
def _container(workplace: Workplace, machine: Machine, release: str) -> Iterator[str]:
    network = ["--network=host"] if machine.host_network else []
    argv = ["docker", "create", *network, base_image.name_of(release), "sh", "-c", _SCRIPT, "sh", release]
    container = workplace.programs.ask(argv).demand("The engine could not create a container").strip()
    try:
        yield container
    finally:
        workplace.programs.run(["docker", "rm", "--force", container])


def luggage(machine: Machine, *, expired: bool = False) -> bytes:
    """Return a tar archive, to be unpacked at a container's root, with the settings of MACHINE in their places."""
    files = dict(machine.files)
    if expired:
        files["apt.conf"] = files.get("apt.conf", b"") + base_image.EXPIRY_IGNORED.encode()
    placed = {INSIDE / name: content for name, content in files.items()}
    for name, place in (
        ("apt.conf", "/etc/apt/apt.conf.d/99machine"),
        ("pip.conf", "/etc/pip.conf"),
        # For the time until the package ca-certificates is there; it then makes this file from its own certificates
        # and from those below /usr/local.
        ("ca-certificates.crt", "/etc/ssl/certs/ca-certificates.crt"),
    ):
        if name in files:
            placed[PurePosixPath(place)] = files[name]
    for number, certificate in enumerate(machine.own_certificates):
        path = PurePosixPath(f"/usr/local/share/ca-certificates/ci-toolkit-{number:02}.crt")
        placed[path] = certificate.encode()
    return _tar(placed)


def _tar(files: dict[PurePosixPath, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for directory in sorted({parent for path in files for parent in path.parents} - {PurePosixPath("/")}):
            entry = tarfile.TarInfo(str(directory.relative_to("/")))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(str(path.relative_to("/")))
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
