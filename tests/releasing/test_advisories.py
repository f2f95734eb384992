"""What is fetched and looked up for the notes, and that nothing of it ends a release."""

import http.server
import io
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import recorded
import served
import tracked
from bench import run
from waits import Waits

from ci_toolkit.console import Console
from ci_toolkit.forges.patience import Patience
from ci_toolkit.mkosi.manifest import Package
from ci_toolkit.records import stored
from ci_toolkit.releases.advisories import sources
from ci_toolkit.releases.advisories.fix import System, Upgrade
from ci_toolkit.releases.advisories.security import Security
from ci_toolkit.releasing import advisories
from ci_toolkit.releasing.advisories import Imaged

pytestmark = pytest.mark.slow

Request = http.server.BaseHTTPRequestHandler
ARCH = System(distribution="arch", release="rolling")
TRIXIE = System(distribution="debian", release="trixie")
FEDORA = System(distribution="fedora", release="44")
UPGRADE = Upgrade(package="openssl", before="1-1", after="2-1")
OF_ARCH = [tracked.group("openssl", "2-1", "CVE-2026-2222")]
OF_DEBIAN = {"openssl": {"CVE-2026-3333": tracked.issue(trixie=tracked.state("2-1", urgency="high"))}}


class Teller(Console):
    """A console whose words are kept."""

    def __init__(self) -> None:
        self.words = io.StringIO()
        super().__init__(narration=self.words)

    @property
    def said(self) -> str:
        return self.words.getvalue()


@pytest.fixture
def console() -> Teller:
    return Teller()


@pytest.fixture
def places(tmp_path: Path) -> Path:
    (tmp_path / "all.json").write_text(json.dumps(OF_ARCH), encoding="utf-8")
    (tmp_path / "debian.json").write_text(json.dumps(OF_DEBIAN), encoding="utf-8")
    return tmp_path


def look_up(console: Console, *places: object, wanted: tuple[System, ...] = (ARCH,)) -> Security:
    patience = Waits().patience()
    return advisories.look_up([str(place) for place in places], dict.fromkeys(wanted, (UPGRADE,)), console, patience)


def names(found: Security) -> list[str]:
    return [fix.identifier for fix in found.fixes]


def test_files_and_addresses_are_looked_up_alike(places: Path, console: Teller) -> None:
    with served.directory(places) as address:
        for base in (f"{places}/", address):
            found = look_up(console, f"{base}all.json", f"{base}debian.json", wanted=(ARCH, TRIXIE))
            assert names(found) == ["CVE-2026-3333", "CVE-2026-2222"]
            assert found.gaps == ()
    assert console.said == ""


def test_an_address_is_asked_as_it_stands(console: Teller) -> None:
    asked = []

    def answer(request: Request) -> None:
        asked.append(request.path)
        request.send_response(200)
        request.end_headers()
        request.wfile.write(json.dumps(OF_ARCH).encode())

    with served.answering(answer) as address:
        assert names(look_up(console, f"{address}raw/all.json?ref=main&token=secret")) == ["CVE-2026-2222"]
    assert asked == ["/raw/all.json?ref=main&token=secret"]


def test_a_server_that_stumbles_is_asked_again(console: Teller) -> None:
    answers = iter((503, 429, 200))

    def answer(request: Request) -> None:
        request.send_response(next(answers))
        request.end_headers()
        request.wfile.write(json.dumps(OF_ARCH).encode())

    with served.answering(answer) as address:
        assert names(look_up(console, f"{address}all.json")) == ["CVE-2026-2222"]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_what_cannot_be_had_is_a_gap_and_a_warning(console: Teller, places: Path, status: int) -> None:
    def answer(request: Request) -> None:
        request.send_response(status)
        request.send_header("Location", "http://192.0.2.1/meta")
        request.end_headers()

    with served.answering(answer) as address:
        where = f"{address}all.json?token=secret"
        found = look_up(console, where, places / "debian.json", wanted=(ARCH, TRIXIE))
    host = address.removeprefix("http://").partition(":")[0]
    assert found.gaps == (f"The advisories of `{host}/all.json` could not be looked up.",)
    assert names(found) == ["CVE-2026-3333"]
    assert f"warning: the advisories of {where} were not looked up" in console.said


def test_nobody_who_answers_is_a_gap(console: Teller) -> None:
    with served.answering(lambda request: request.send_response(200)) as address:
        pass
    assert len(look_up(console, f"{address}all.json").gaps) == 1
    assert "cannot be fetched" in console.said


def test_one_that_never_ends_is_left(console: Teller) -> None:
    over = threading.Event()

    def endless(request: Request) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(b"[")
        request.wfile.flush()
        over.wait(60)

    with served.answering(endless) as address:
        patience = Patience(attempts=1, end_seconds=0.1)
        found = advisories.look_up([f"{address}all.json"], {ARCH: (UPGRADE,)}, console, patience)
        over.set()
    assert len(found.gaps) == 1
    assert "did not come within" in console.said


def fifo(path: Path) -> None:
    os.mkfifo(path)


def loop(path: Path) -> None:
    path.symlink_to(path)


def nothing(_path: Path) -> None:
    pass


def of(data: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(data)

    return write


@pytest.mark.parametrize(
    "make",
    [nothing, Path.mkdir, fifo, loop, of(b""), of(b"<html>"), of(b"[" * 1000), of(b'{"a": {'), of(os.urandom(5000))],
)
def test_what_cannot_be_read_is_a_gap_and_a_warning(
    tmp_path: Path, console: Teller, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "all.json")
    found = look_up(console, tmp_path / "all.json")
    assert found == Security(gaps=("The advisories of `all.json` could not be looked up.",))
    assert console.said.startswith("warning: the advisories of ")


def test_a_system_that_nobody_tells_of_is_a_gap(places: Path, console: Teller) -> None:
    found = look_up(console, places / "all.json", wanted=(ARCH, FEDORA))
    assert names(found) == ["CVE-2026-2222"]
    assert found.gaps == ("No advisories were at hand of `fedora 44`.",)
    assert "none of the advisories are of fedora 44" in console.said


def imaged(place: Path, name: str, before: tuple[Package, ...] | None, now: tuple[Package, ...] | None) -> Imaged:
    return Imaged(name=name, file=place / name / "image.raw", build=place / name, before=before, now=now)


def recorded_as(distribution: str, build: Path) -> None:
    build.mkdir()
    image = replace(recorded.RECORD.image, distribution=distribution)
    stored.write(replace(recorded.RECORD, image=image), build)
    (build / "image.raw").write_bytes(b"no file system")


def test_the_images_are_of_what_their_records_say(places: Path, tmp_path: Path, console: Teller) -> None:
    recorded_as("debian", tmp_path / "cloud")
    recorded_as("arch", tmp_path / "iso")
    old, new = (package("openssl", "1-1"),), (package("openssl", "2-1"),)
    images = [imaged(tmp_path, name, old, new) for name in ("cloud", "iso", "lost")]
    images += [imaged(tmp_path, "fresh", None, new), imaged(tmp_path, "bare", old, None)]
    files = [str(places / "all.json"), str(places / "debian.json")]
    found = advisories.of_release(files, images, console)
    assert found is not None
    assert names(found) == ["CVE-2026-3333", "CVE-2026-2222"]
    assert found.gaps == ("It is not known which distribution `lost` is of.",)
    assert "of lost no security fixes were looked up" in console.said
    assert "Packages of cloud are looked up by their own names" in console.said
    assert "Packages of iso" not in console.said


def test_packages_of_debian_go_by_the_sources_that_the_image_tells(
    places: Path, tmp_path: Path, console: Teller
) -> None:
    recorded_as("debian", tmp_path / "cloud")
    listed = tmp_path / "tree" / sources.PATH
    listed.parent.mkdir(parents=True)
    listed.write_text(
        "Package: libssl3t64\nStatus: install ok installed\nSource: openssl\nVersion: 2-1\n", encoding="utf-8"
    )
    run("tar", "-c", "-f", tmp_path / "cloud/image.raw", "-C", tmp_path / "tree", ".")
    old, new = (package("libssl3t64", "1-1"),), (package("libssl3t64", "2-1"),)
    found = advisories.of_release([str(places / "debian.json")], [imaged(tmp_path, "cloud", old, new)], console)
    assert found is not None
    assert [(fix.identifier, fix.package) for fix in found.fixes] == [("CVE-2026-3333", "openssl")]
    assert console.said == ""


def test_where_nothing_was_upgraded_nothing_is_fetched(tmp_path: Path, console: Teller) -> None:
    same = (package("openssl", "1-1"),)
    images = [imaged(tmp_path, "cloud", same, same), imaged(tmp_path, "iso", None, None)]
    assert advisories.of_release([str(tmp_path / "none")], images, console) is None
    assert console.said == ""


def package(name: str, version: str) -> Package:
    return Package(name=name, architecture="amd64", version=version)
