"""Netboot directories: fetched by the real iPXE of QEMU's network card, and asked for by http.client."""

import http.client
import io
import shutil
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from fetched import directory

from ci_toolkit.boot import ground, image, netboot, served, start, subject
from ci_toolkit.boot.machine import PROGRAM
from ci_toolkit.boot.outcome import Boot
from ci_toolkit.boot.start import Wishes
from ci_toolkit.console import Console
from ci_toolkit.errors import UnreadableError
from ci_toolkit.host.kvm import Accelerator

EMULATED = Accelerator(name="tcg", processor="max", reason="emulated")
# Where option ROMs of Debian, Fedora and Arch are.
CARDS = ("/usr/share/qemu/pxe-virtio.rom", "/usr/lib/ipxe/qemu/pxe-virtio.rom", "/usr/share/ipxe/qemu/1af41000.rom")

needs_ipxe = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which(PROGRAM) is None, reason=f"{PROGRAM} is not installed"),
    pytest.mark.skipif(not any(Path(card).exists() for card in CARDS), reason="ipxe-qemu is not installed"),
]


def started(place: Path, output: Path) -> Boot:
    output.mkdir()
    wishes = Wishes(firmware=("ipxe",), output=output, minutes=5.0)
    console = Console(narration=io.StringIO())
    with subject.opened(place, output, console) as found:
        assert isinstance(found, image.Image)
        assert found.firmware == ("ipxe",)
        (boot,) = start.start(found, wishes, ground.Here(accelerator=EMULATED), console)
    return boot


class TestWithIpxe:
    pytestmark = needs_ipxe

    def test_ipxe_fetches_the_script_and_starts_what_it_names(self, tmp_path: Path) -> None:
        boot = started(directory(tmp_path / "a, 'place'"), tmp_path / "output")
        assert (boot.reason, boot.sign) == ("", "systemd's own word")
        log = (tmp_path / "output/ipxe.serial.log").read_text(encoding="utf-8", errors="replace")
        assert "http://10.0.2.100/vmlinuz... ok" in log

    def test_what_is_not_there_is_told_by_ipxe(self, tmp_path: Path) -> None:
        script = "#!ipxe\nkernel ${base}other\nboot\n"
        boot = started(directory(tmp_path / "place", script), tmp_path / "output")
        assert boot.reason.startswith("iPXE gave up: http://10.0.2.100/other... No such file or directory (http")


def asked(place: Path, path: str, method: str = "GET") -> http.client.HTTPResponse:
    """The answer of served.py, started as QEMU starts it, in the words of Python's own client."""
    argv = (sys.executable, served.__file__, str(place), str(place.parent / "start.ipxe"))
    question = f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    completed = subprocess.run(argv, input=question, capture_output=True, check=True, env={}, timeout=60)

    class Socket:
        def makefile(self, _: str) -> io.BytesIO:
            return io.BytesIO(completed.stdout)

    answer = http.client.HTTPResponse(cast("http.client.socket.socket", Socket()), method=method)  # type: ignore[name-defined]
    answer.begin()
    return answer


@pytest.mark.slow
def test_the_four_files_and_the_script_are_given_away_and_nothing_else(tmp_path: Path) -> None:
    place = directory(tmp_path / "place")
    (tmp_path / "start.ipxe").write_text("first")
    (place / "secret").write_text("s")
    for name in served.NAMES:
        assert asked(place, f"/{name}").read() == (place / name).read_bytes()
    assert asked(place, "/start.ipxe").read() == b"first"
    assert asked(place, "/root.tar.gz?x=1").status == 200
    head = asked(place, "/vmlinuz", "HEAD")
    assert (head.getheader("Content-Length"), head.read()) == ("512", b"")
    for path in ("/secret", "/", "/../start.ipxe", "/place/vmlinuz", "//etc/passwd"):
        assert asked(place, path).status == 404
    assert asked(place, "/vmlinuz", "POST").status == 501


@pytest.mark.slow
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    place = directory(tmp_path / "place")
    (place / "initrd").unlink()
    (place / "initrd").symlink_to("/etc/passwd")
    assert asked(place, "/initrd").status == 404


def test_a_directory_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    place = directory(tmp_path / "place")
    (place / "initrd").unlink()
    with pytest.raises(UnreadableError, match="no whole netboot directory: initrd is missing"):
        netboot.is_one(place)


def test_a_directory_of_anything_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    console = Console(narration=io.StringIO())
    with (
        pytest.raises(UnreadableError, match="neither an OCI layout nor a netboot directory"),
        subject.opened(tmp_path, tmp_path, console),
    ):
        pass


def test_the_memory_grows_with_the_root(tmp_path: Path) -> None:
    place = directory(tmp_path / "place")
    assert netboot.memory(place) == (1 << 30) + 6 * 1000
    assert netboot.memory(tmp_path / "place/vmlinuz") == 0
