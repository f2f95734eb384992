"""A release for rehearsal: into a directory, a registry on loopback, a fake GitHub and a fake GitLab; then once more.

python -m tests.integration.rehearsal     of examples/debian, and where it can be built of the container image of Arch
"""

import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "fakes")]  # as pytest does it

import fake_github  # noqa: E402
import fake_gitlab  # noqa: E402
import real_registry  # noqa: E402
import served  # noqa: E402
from fake_github import FakeGitHub  # noqa: E402
from fake_gitlab import FakeGitLab  # noqa: E402
from real_registry import RealRegistry  # noqa: E402

from tests.arch import mirror  # noqa: E402
from tests.integration import small  # noqa: E402

# The second one is a week after the first, and not due.
_DAYS: Final = ("2026-11-14", "2026-11-21", "2026-11-28")
_SHOWN: Final = 1500
# A disk with a root file system, which everything can be made of; no distribution and no network.
DISK: Final = {
    "images/mkosi.conf": small.CUSTOM.replace("Format=tar\nCompressOutput=none\n", "Format=disk\nSplitArtifacts=\n")
    + "\n[Content]\nBootable=no\n",
    "images/mkosi.repart/10-root.conf": "[Partition]\nType=root\nFormat=ext4\nCopyFiles=/\nSizeMinBytes=16M\n"
    "SizeMaxBytes=16M\nAddValidateFS=no\n",
    # Nothing boots from it, but mkosi asks for an El Torito catalogue, which wants one.
    "images/mkosi.repart/00-esp.conf": (ROOT / "examples/tiny/mkosi.repart/00-esp.conf").read_text(encoding="utf-8"),
    "images/mkosi.skeleton/usr/lib/os-release": "ID=small\nNAME=Small\n",
    # A program tells for which architecture a container image is.
    "images/mkosi.postinst": '#!/bin/sh\nset -eu\ninstall -D /usr/bin/true "$BUILDROOT/usr/bin/true"\n',
    "images/mkosi.skeleton/etc/motd": "Hello\n",
}


def arch(target: Path, options: Sequence[str]) -> None:
    """Write the definition of Arch's container image to TARGET: examples/arch, with mkosi's OPTIONS for the mirror."""
    shutil.copytree(ROOT / "examples/arch", target)
    settings = {option.removeprefix("--").partition("=")[0]: option.partition("=")[2] for option in options}
    lines = f"Mirror={settings['mirror']}\nRepositoryKeyFetch={settings['repository-key-fetch']}\n"
    path = target / "mkosi.conf"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        f"[Config]\nProfiles=container\n\n{text.replace('[Output]', lines + '[Output]', 1)}", encoding="utf-8"
    )


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where the release goes; whatever is below `place` has its address below `address`."""

    place: Path
    github: FakeGitHub
    gitlab: FakeGitLab
    registry: RealRegistry
    address: str

    @property
    def mirror(self) -> Path:
        return self.place / "mirror"

    @property
    def targets(self) -> tuple[str, ...]:
        written = (f"dir:{self.mirror}", f"github:{fake_github.REPOSITORY}", "gitlab:images", self.registry.target)
        return tuple(word for one in written for word in ("--to", one))

    def call(self, *arguments: str, day: str) -> "subprocess.CompletedProcess[str]":
        environ = {
            **small.environ(),
            "PYTHONPATH": str(ROOT),
            # Another mirror of Arch has other packages of the same names.
            "XDG_CACHE_HOME": str(self.place / "cache"),
            "CI_TOOLKIT_DATE": day,
            "GITHUB_API_URL": self.github.server.url,
            "GITHUB_TOKEN": fake_github.TOKEN,
            "CI_API_V4_URL": self.gitlab.api_url,
            "CI_PROJECT_ID": "7",
            "CI_JOB_TOKEN": fake_gitlab.JOB_TOKEN,
            "CI_TOOLKIT_SIGNING_KEY": str(self.place / "key.asc"),
        }
        argv = (sys.executable, "-m", "ci_toolkit", *arguments)
        return subprocess.run(argv, env=environ, cwd=self.place, capture_output=True, text=True, check=False)

    def repository(self) -> Path:
        """Commit what is in the repository, and let others have it at its address; return where it is."""
        path = self.place / "repository"
        small.commit(path)
        for words in (("remote", "set-url", "origin", f"{self.address}repository/.git"), ("update-server-info",)):
            subprocess.run(("git", "-C", path, *words), check=True)
        return path

    def release(self, *definitions: Path, day: str) -> "subprocess.CompletedProcess[str]":
        options = ("--formats", "qcow2,oci", "--output", str(self.place / "output"))
        return self.call("release", *map(str, definitions), *self.targets, *options, day=day)

    def rebuild(self, version: str, *options: str, record: str = "") -> "subprocess.CompletedProcess[str]":
        """Build what was released as VERSION again, by somebody who knows its address and the key.

        Of a release of several images RECORD is the name of the one's record.
        """
        where = f"{self.address}{self.mirror.name}/{version}/{record}"
        known = ("--key", str(self.place / "public.asc"), "--output", str(self.place / "rebuilt"))
        return self.call("rebuild", where, *known, *options, day="2027-01-01")

    def home(self) -> Path:
        return self.place / "gnupg"


@contextmanager
def stage(place: Path) -> Iterator[Stage]:
    """Open all targets, and make a key to sign with."""
    with ExitStack() as stack:
        github, gitlab = FakeGitHub(), FakeGitLab()
        stack.enter_context(github.server)
        stack.enter_context(gitlab.server)
        registry = stack.enter_context(real_registry.running(place))
        address = stack.enter_context(served.directory(place))
        found = Stage(place=place, github=github, gitlab=gitlab, registry=registry, address=address)
        found.home().mkdir(mode=0o700)
        gpg = ("gpg", "--homedir", str(found.home()), "--batch", "--passphrase", "", "--pinentry-mode", "loopback")
        stack.callback(subprocess.run, ("gpgconf", "--homedir", found.home(), "--kill", "all"), check=False)
        subprocess.run((*gpg, "--quick-generate-key", "Rehearsal", "ed25519", "sign"), check=True, capture_output=True)
        exported = subprocess.run((*gpg, "--armor", "--export-secret-keys"), check=True, capture_output=True)
        (place / "key.asc").write_bytes(exported.stdout)
        exported = subprocess.run((*gpg, "--armor", "--export"), check=True, capture_output=True)
        (place / "public.asc").write_bytes(exported.stdout)
        yield found


def main() -> int:
    """Release, release again, rebuild, and prune; show what people would see. Return 1 where something went wrong."""
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as name, ExitStack() as stack:
        found = stack.enter_context(stage(Path(name)))
        images = _images(found.place / "repository", stack)
        repository = found.repository()
        for call in _calls(found, tuple(repository / image for image in images)):
            done = call()
            print(f"$ ci-toolkit {shlex.join(done.args[3:])}\n{done.stdout[-_SHOWN:]}", flush=True)
            if done.returncode:
                print(done.stderr[-4 * _SHOWN :], file=sys.stderr)
                return 1
        print(*sorted(path.name for path in found.mirror.iterdir()), *found.registry.tags(), sep="\n")
    return 0


def _images(repository: Path, stack: ExitStack) -> list[str]:
    """Write the definitions into REPOSITORY; that of Arch needs a mirror, which is served until STACK ends."""
    shutil.copytree(ROOT / "examples/debian", repository / "debian")
    try:
        arch(repository / "arch", stack.enter_context(mirror.serve()))
    except mirror.UnavailableError as error:
        print(f"without an image of Arch: {error}")
        return ["debian"]
    return ["debian", "arch"]


def _calls(found: Stage, images: Sequence[Path]) -> Iterator[Callable[[], "subprocess.CompletedProcess[str]"]]:
    """Yield what is called, one after the other; the notes and the bills of materials are printed between."""
    for day in _DAYS:
        yield lambda day=day: found.release(*images, day=day)  # type: ignore[misc]
    place = found.mirror / "latest"
    print((found.place / "output/notes.md").read_text(encoding="utf-8"))
    for path in sorted(place.iterdir()):
        print(f"{path.stat().st_size:>13,}  {path.name}")
    for path in sorted(place.glob("*.spdx.json")):
        print(f"{path.name}: {path.read_text(encoding='utf-8')[:_SHOWN]}")
    where = f"{found.address}{found.mirror.name}/latest/"
    yield lambda: found.call("verify-release", where, "--key", str(found.place / "public.asc"), day=_DAYS[-1])
    for record in sorted(path.name for path in place.glob("*build-record.json")):
        yield lambda record=record: found.rebuild("latest", record=record)  # type: ignore[misc]
    yield lambda: found.call("prune", *found.targets, "--keep", "1", day=_DAYS[-1])


if __name__ == "__main__":
    sys.exit(main())
