"""A release for rehearsal: into a directory, a registry on loopback, a fake GitHub and a fake GitLab; then once more.

python -m tests.integration.rehearsal [DEFINITION…]     (examples/debian where none is named)
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
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

from tests.integration import small  # noqa: E402

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

    def release(self, *definitions: Path, day: str) -> "subprocess.CompletedProcess[str]":
        options = ("--formats", "qcow2,oci", "--output", str(self.place / "output"))
        return self.call("release", *map(str, definitions), *self.targets, *options, day=day)

    def rebuild(self, version: str, *options: str) -> "subprocess.CompletedProcess[str]":
        """Build what was released as VERSION again, by somebody who knows its address and the key."""
        where = f"{self.address}{self.mirror.name}/{version}/"
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


def main(definitions: list[str]) -> int:
    """Release, release again, rebuild, and prune; show what people would see. Return 1 where something went wrong."""
    chosen = [Path(one).resolve() for one in definitions or [str(ROOT / "examples/debian")]]
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as name, stage(Path(name)) as found:
        for day in ("2026-11-14", "2026-11-21", "2026-11-28"):
            done = found.release(*chosen, day=day)
            print(done.stdout[-800:] or done.stderr[-800:])
            if done.returncode:
                print(done.stderr[-4000:], file=sys.stderr)
                return 1
        print((found.place / "output/notes.md").read_text(encoding="utf-8"))
        if len(chosen) == 1:  # of several, `rebuild` wants to know which
            again = found.rebuild("2026.11.28", "--source", str(ROOT))
            print(again.stdout[-800:])
            if again.returncode:
                print(again.stderr[-4000:], file=sys.stderr)
                return 1
        print(found.call("prune", *found.targets, "--keep", "1", day="2026-11-28").stdout)
        print(*sorted(path.name for path in found.mirror.iterdir()), *found.registry.tags(), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
