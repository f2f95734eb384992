"""What is to be started, by what it is: a disk, what holds one, a netboot directory, or a container image."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ci_toolkit.boot import box, image, netboot, oci
from ci_toolkit.boot.image import Image
from ci_toolkit.boot.oci import ContainerImage
from ci_toolkit.console import Console
from ci_toolkit.errors import UnreadableError


@contextmanager
def opened(path: Path, room: Path, console: Console) -> Iterator[Image | ContainerImage]:
    """Yield what is at PATH; ROOM is a directory for what has to be unpacked first.

    Raises UnreadableError where it is nothing that can be started, HostError where ROOM is too small.
    """
    with oci.opened(path) as container:
        if container is not None:
            yield container
            return
    if path.is_dir():
        if not netboot.is_one(path):
            raise UnreadableError(f"{path} is neither an OCI layout nor a netboot directory", hint=box.HINT)
        yield image.of_netboot(path)
        return
    with box.opened(path, room, console) as unpacked:
        if unpacked is None:
            yield image.look(path)
        else:
            yield replace(image.look(unpacked.path), name=path.name, box=path, provider=unpacked.provider)
