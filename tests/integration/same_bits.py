"""One image, built by every runner and in every surroundings: a table of SHA-256, which all have to be one.

make same-bits
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ci_toolkit.host.environment import NORMAL
from ci_toolkit.runners.container import PYTHON
from tests.arch import mirror
from tests.integration import podman, small, true_root

ROOT: Final = Path(__file__).parents[2]
IMAGE: Final = os.environ.get("CI_TOOLKIT_IMAGE", "ci-toolkit:local")
# The exit code of `docker run` where the engine starts no container.
DOCKER_REFUSES: Final = 125
SEVERAL: Final = ("sh", "-c", 'umask "$0" && exec "$@"')

# What useradd grants a user in /etc/subuid suffices; in a container newuidmap is refused what it is for as a program of
# root's, for want of CAP_SYS_ADMIN, but not with the one capability.
LAPTOP: Final = """\
useradd --uid 1234 --create-home user
chmod u-s /usr/bin/newuidmap /usr/bin/newgidmap
setcap cap_setuid=ep /usr/bin/newuidmap
setcap cap_setgid=ep /usr/bin/newgidmap
export HOME=/home/user
exec setpriv --reuid=1234 --regid=1234 --init-groups ci-toolkit build "$1" --runner auto --output /home/user/output
"""

# Owners, a set-group-id bit, names out of order, a link, a hard link, a file with a capability's worth of bits.
SCRIPT: Final = """\
cd "$BUILDROOT"
mkdir -p srv/z srv/a && chmod 2775 srv/a && echo one > srv/a/one && chown 33:12 srv/a/one srv/a
for name in delta alpha omega beta; do echo $name > srv/z/$name; done
ln srv/z/delta srv/z/again && ln -s delta srv/z/link && chmod 4711 srv/z/alpha
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One build: what, by which runner, in which surroundings, and its SHA-256, or why there is none."""

    image: str
    runner: str
    surroundings: str
    digest: str
    skipped: str = ""


@dataclass(frozen=True, kw_only=True)
class Case:
    """Surroundings: a name, where checkout and output lie, variables, words before the command, what is made ready."""

    name: str
    place: str = "work"
    variables: Mapping[str, str | None] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    prepare: Callable[[Path], None] = lambda _: None
    finish: Callable[[Path], None] = lambda _: None


def _shared_group(place: Path) -> None:
    place.chmod(0o2775)
    subprocess.run(("setfacl", "--default", "--modify", "user:65534:rwx,group::rwx,other::rwx", place), check=True)


def _without_atime(place: Path) -> None:
    subprocess.run(("mount", "-t", "tmpfs", "-o", "noatime", "tmpfs", place), check=True)


def _other_owner(place: Path) -> None:
    subprocess.run(("chown", "--recursive", "12345:12345", place / "checkout"), check=True)


CASES: Final = (
    Case(name="plain"),
    Case(name="checkout of another user", finish=_other_owner),
    Case(name="umask 0000", before=(*SEVERAL, "0000")),
    Case(name="umask 0027", before=(*SEVERAL, "0027")),
    Case(name="umask 0077", before=(*SEVERAL, "0077")),
    Case(name="default ACL, set-group-id", prepare=_shared_group),
    Case(name="no HOME, TZ and LANG set", variables={"HOME": None, "TZ": "Asia/Tokyo", "LANG": "fr_FR.UTF-8"}),
    Case(name="a path with blanks and umlauts", place="Größe und mehr"),
    Case(name="tmpfs", place="/dev/shm/same-bits"),
    Case(name="a file system without access times", prepare=_without_atime),
)
# Those in which a package manager could see where it is, so that the images of each distribution are built in them.
TELLING: Final = tuple(
    case for case in CASES if case.name in ("plain", "umask 0077", "no HOME, TZ and LANG set", "tmpfs")
)


def local(case: Case, image: str, base: Path, arguments: tuple[str, ...] = ()) -> Row:
    """Build by the runner `container` from a checkout in the surroundings of CASE; ARGUMENTS go to mkosi."""
    place = base / case.place
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        case.prepare(place)
    except (OSError, subprocess.CalledProcessError) as error:
        return Row(image=image, runner="container", surroundings=case.name, digest="", skipped=str(error))
    try:
        environ = {name: value for name, value in (small.environ() | dict(case.variables)).items() if value is not None}
        subprocess.run(
            (*case.before, "git", "clone", "--quiet", base / "source", place / "checkout"), env=environ, check=True
        )
        case.finish(place)
        argv = (sys.executable, "-m", "ci_toolkit", "build", str(place / "checkout" / image), "--runner", "container")
        environ |= {"PYTHONPATH": str(ROOT), "CI_TOOLKIT_IMAGE": IMAGE}
        if arguments:  # another mirror, with other packages of the same names
            environ |= {"XDG_CACHE_HOME": str(base / "cache")}
        options = ("--output", str(place / "output"), "--", *arguments)
        return _row(image, "container", case.name, (*case.before, *argv, *options), environ)
    finally:
        subprocess.run(("umount", "--quiet", place), check=False, capture_output=True)
        shutil.rmtree(place, ignore_errors=True)


def by_podman(image: str, base: Path) -> Row:
    """Build by the runner `container` with Podman, as the user who we are."""
    try:
        with podman.ready(base, IMAGE) as variables:
            return local(Case(name="Podman", variables=variables), image, base)
    except podman.UnavailableError as error:
        return Row(image=image, runner="container", surroundings="Podman", digest="", skipped=str(error))


def contained(
    name: str,
    image: str,
    base: Path,
    runner: str,
    *options: str,
    output: str = "/mnt/output",
    arguments: tuple[str, ...] = (),
) -> Row:
    """Build inside the toolkit's own container, started with OPTIONS; the checkout is mounted at /mnt."""
    argv = ("docker", "run", "--rm", f"--volume={base}:/mnt", *options, IMAGE, "build", f"/mnt/source/{image}")
    argv = (*argv, "--runner", "auto", "--output", output, "--", *arguments)
    row = _row(image, runner, name, argv, small.environ())
    shutil.rmtree(base / "output", ignore_errors=True)
    return row


def by_user(image: str, base: Path) -> Row:
    """Build as a plain user of a machine whose administrator granted him ids, in a container for want of a laptop."""
    seccomp = f"--security-opt=seccomp={base / 'seccomp.json'}"
    argv = ("docker", "run", "--rm", seccomp, f"--volume={base}:/mnt", "--entrypoint=sh", IMAGE, "-ec", LAPTOP, "sh")
    return _row(image, "unprivileged", "a plain user, newuidmap", (*argv, f"/mnt/source/{image}"), small.environ())


def by_root(image: str, base: Path) -> Row:
    """Build as real root in a container that has what it takes, which no runner ever does."""
    allowed = ("--cap-add=SYS_ADMIN", "--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined")
    mounted = (f"--volume={base}:/mnt", f"--volume={ROOT}:/checkout:ro", "--env=PYTHONPATH=/checkout")
    called = (IMAGE, "-m", "tests.integration.true_root", f"/mnt/source/{image}", "/mnt/output")
    options = (f"--hostname={NORMAL.hostname}", f"--entrypoint={PYTHON}", *allowed, *mounted)
    argv = ("docker", "run", "--rm", *options, *called)
    skips = (DOCKER_REFUSES, true_root.SKIPPED)
    row = _row(image, "true-root", "CAP_SYS_ADMIN, no user namespace", argv, small.environ(), skips)
    shutil.rmtree(base / "output", ignore_errors=True)
    return row


def _row(
    image: str,
    runner: str,
    surroundings: str,
    argv: tuple[str, ...],
    environ: Mapping[str, str],
    skips: tuple[int, ...] = (),
) -> Row:
    completed = subprocess.run(argv, env=dict(environ), capture_output=True, text=True, check=False, cwd="/")
    said = completed.stderr + completed.stdout
    if completed.returncode in skips:
        return Row(image=image, runner=runner, surroundings=surroundings, digest="", skipped=said.strip())
    if completed.returncode != 0 or f"Runner: {runner}: " not in said:
        raise AssertionError(f"{image}, {runner}, {surroundings}: exit code {completed.returncode}\n{said[-4000:]}")
    digest = completed.stdout.split()[0]
    return Row(image=image, runner=runner, surroundings=surroundings, digest=digest)


def prepare(base: Path) -> tuple[str, ...]:
    """Commit the definitions below BASE/source; return docker's options for the shipped seccomp profile."""
    base.chmod(0o755)  # for the plain users among those who build
    source = base / "source"
    small.write(
        source,
        {
            "files/mkosi.conf": small.CUSTOM,
            "files/mkosi.skeleton/usr/lib/os-release": "ID=small\nNAME=Small\n",
            "files/mkosi.postinst": f"#!/bin/sh\nset -eu\n{SCRIPT}\n",
        },
    )
    for example in ("tiny", "arch"):
        shutil.copytree(ROOT / "examples" / example, source / example)
    small.commit(source)
    profile = base / "seccomp.json"
    printed = subprocess.run(("docker", "run", "--rm", IMAGE, "seccomp"), capture_output=True, check=True).stdout
    profile.write_bytes(printed)
    return ("--security-opt", f"seccomp={profile}")


def rows(base: Path, *, everything: bool = False) -> Iterator[Row]:
    """Build examples/tiny and an image of files alone; with EVERYTHING examples/tiny in an emulated machine too."""
    seccomp = prepare(base)
    for image in ("files", "tiny"):
        for case in CASES:
            yield local(case, image, base)
        yield by_user(image, base)
        yield by_podman(image, base)
        yield by_root(image, base)
        yield contained("shipped seccomp profile", image, base, "unprivileged", *seccomp)
        yield contained("overlay", image, base, "unprivileged", *seccomp, output="/root/output")
        yield contained("one processor", image, base, "unprivileged", *seccomp, "--cpuset-cpus=0")
        if image == "files" or everything:
            yield contained("Docker's own defaults", image, base, "vm")
    # Of another user is what he writes.
    (base / "public").mkdir()
    (base / "public").chmod(0o1777)
    user = ("--user=1234:1234",)
    yield contained("Docker's own defaults, a plain user", "files", base, "vm", *user, output="/mnt/public/output")


def arch_rows(base: Path, *, everything: bool = False) -> Iterator[Row]:
    """Build examples/arch from a mirror on this machine, which has another address each time."""
    seccomp = prepare(base)
    port = 8000
    for case in TELLING:
        port += 1
        with mirror.serve(port) as arguments:
            yield local(case, "arch", base, arguments)
    with mirror.serve() as arguments:
        yield contained("shipped seccomp profile", "arch", base, "unprivileged", *seccomp, arguments=arguments)
        yield contained("overlay", "arch", base, "unprivileged", *seccomp, output="/root/output", arguments=arguments)
        if everything:
            yield contained("Docker's own defaults", "arch", base, "vm", arguments=arguments)


def _tell(rows_: Iterable[Row]) -> list[Row]:
    found = []
    for row in rows_:
        shown = row.digest or f"skipped: {row.skipped}"
        print(f"{row.image:6} {row.runner:13} {row.surroundings:38} {shown}", flush=True)
        found.append(row)
    return found


def main() -> int:
    """Print the table as it grows; fail where an image has more than one digest."""
    everything = "--everything" in sys.argv[1:]
    with tempfile.TemporaryDirectory() as base:
        found = _tell(rows(Path(base), everything=everything))
    with tempfile.TemporaryDirectory() as base:
        try:
            found += _tell(arch_rows(Path(base), everything=everything))
        except mirror.UnavailableError as error:
            print(f"arch   skipped: {error}")
    digests: dict[str, set[str]] = {row.image: set() for row in found}
    for row in found:
        digests[row.image] |= {row.digest} - {""}
    print(json.dumps({image: len(all_) for image, all_ in digests.items()}), "digests")
    return 0 if all(len(all_) == 1 for all_ in digests.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
