"""Debian's own small image: pulled, or where no registry answers, made from Debian's archive under the same name."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bootstrap import debian_packages, engine
from bootstrap.failures import SetupError, says_expired
from bootstrap.machine import Machine
from bootstrap.workplace import Workplace

# A registry that is there says something within seconds; how long the rest takes is the network's affair.
_FIRST_WORD_SECONDS: Final = 20
_PULL_SECONDS: Final = 900
_KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SCRIPTS: Final = Path("/usr/share/debootstrap/scripts")
# What a fresh image of Debian does not carry either: caches, logs, what belongs to this machine, documentation.
_LITTER: Final = (
    "etc/hostname",
    "etc/machine-id",
    "etc/resolv.conf",
    "usr/share/doc/*",
    "usr/share/info/*",
    "usr/share/lintian",
    "usr/share/locale/*",
    "usr/share/man/*",
    "var/cache/apt/*",
    "var/cache/debconf/*-old",
    "var/cache/ldconfig/aux-cache",
    "var/lib/apt/lists/*",
    "var/log/*",
    "tmp/*",
)
EXPIRY_IGNORED: Final = 'Acquire::Check-Valid-Until "false";\n'


def name_of(release: str) -> str:
    """Return the image's name for the Debian RELEASE."""
    return f"debian:{release}-slim"


def ensure(workplace: Workplace, machine: Machine, release: str) -> str:
    """Return the id of the image for RELEASE, which is pulled or made when it is not there."""
    name = name_of(release)
    present = engine.image_id(workplace, name)
    if present is not None:
        return present
    if not _pull(workplace, name):
        workplace.journal.note(f"{name} cannot be pulled here; an equal image is made from Debian's archive")
        _make(workplace, machine, release)
    made = engine.image_id(workplace, name)
    if made is None:
        raise SetupError(f"The engine has no image {name} although it was made", hint="See the log.")
    return made


def _pull(workplace: Workplace, name: str) -> bool:
    with workplace.journal.step(f"{name} asked for at its registry"):
        return workplace.programs.run(
            ["docker", "pull", name], first_word_seconds=_FIRST_WORD_SECONDS, timeout_seconds=_PULL_SECONDS
        ).ok


def _make(workplace: Workplace, machine: Machine, release: str) -> None:
    if workplace.programs.find("mmdebstrap") is None:
        _require_debootstrap(workplace, release)
    with workplace.journal.step(f"{name_of(release)} made from Debian's archive"), _scratch(workplace) as scratch:
        if workplace.programs.find("mmdebstrap") is not None:
            archive = _mmdebstrap(workplace, machine, release, scratch)
        else:
            archive = _debootstrap(workplace, machine, release, scratch)
        workplace.programs.run(["docker", "import", "--change", 'CMD ["bash"]', archive, name_of(release)]).demand(
            "The engine did not take the image"
        )


def _require_debootstrap(workplace: Workplace, release: str) -> None:
    if not workplace.is_root:
        raise SetupError(
            f"{name_of(release)} cannot be pulled, and only root or mmdebstrap can make it: "
            "run `sudo apt-get install mmdebstrap` or, once, `sudo make image`."
        )
    if workplace.programs.find("debootstrap") is None or not _KEYRING.exists():
        with workplace.journal.step("Debian packages debootstrap and debian-archive-keyring"):
            debian_packages.require(workplace, ["debootstrap", "debian-archive-keyring"], "debootstrap is missing")


def _mmdebstrap(workplace: Workplace, machine: Machine, release: str, scratch: Path) -> Path:
    """Make the archive by mmdebstrap, which needs no root and goes by apt's options."""
    archive = scratch / "base.tar"
    options = scratch / "apt.conf"
    options.write_bytes(machine.files.get("apt.conf", b""))
    argv = ["mmdebstrap", "--variant=minbase", f"--aptopt={options}", "--format=tar"]
    argv += [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "info", "locale", "man")]
    # dpkg's options would stay in the image, and mkosi's dpkg would read them.
    argv += ['--customize-hook=rm -f "$1"/etc/dpkg/dpkg.cfg.d/*mmdebstrap']
    argv += [release, os.fspath(archive), *filter(None, [machine.mirror])]
    outcome = workplace.programs.run(argv)
    if says_expired(outcome.output):
        options.write_bytes(options.read_bytes() + EXPIRY_IGNORED.encode())
        archive.unlink(missing_ok=True)
        outcome = workplace.programs.run(argv)
    outcome.demand(f"mmdebstrap could not make a Debian {release}")
    return archive


def _debootstrap(workplace: Workplace, machine: Machine, release: str, scratch: Path) -> Path:
    target = scratch / "root"
    archive = scratch / "base.tar"
    argv = [*_own_mounts(workplace), "debootstrap", "--variant=minbase", "--force-check-gpg", f"--keyring={_KEYRING}"]
    argv += [release, os.fspath(target), *_origin(machine, release)]
    workplace.programs.run(argv, extra=machine.proxies).demand(f"debootstrap could not make a Debian {release}")
    _mend(workplace, machine, target)
    _clean(target)
    argv = ["tar", "--create", "--numeric-owner", f"--directory={target}", f"--file={archive}", "."]
    workplace.programs.run(argv).demand("tar could not pack the base system")
    return archive


def _origin(machine: Machine, release: str) -> list[str]:
    """Return debootstrap's mirror and script; a release younger than debootstrap is made by the script of sid."""
    if (_SCRIPTS / release).exists():
        return [machine.mirror] if machine.mirror else []
    if machine.mirror is None:
        raise SetupError(f"debootstrap does not know Debian {release}", hint="Take another DEBIAN_RELEASE.")
    return [machine.mirror, "sid"]


def _own_mounts(workplace: Workplace) -> list[str]:
    """Return the words that give debootstrap mounts of its own, which end with it even when it is interrupted."""
    words = ["unshare", "--mount", "--propagation=private"]
    return words if workplace.programs.run([*words, "true"]).ok else []


def _mend(workplace: Workplace, machine: Machine, target: Path) -> None:
    """Let apt add what debootstrap, which knows no virtual packages, left out."""
    inside = [*_own_mounts(workplace), "chroot", os.fspath(target), "apt-get"]
    if workplace.programs.run([*inside, "check"]).ok:
        return
    options = target / "etc/apt/apt.conf.d/99machine"
    options.write_bytes(machine.files.get("apt.conf", b"") + EXPIRY_IGNORED.encode())
    workplace.programs.run([*inside, "update", "-q"])
    workplace.programs.run([*inside, "-y", "-q", "-f", "install"]).demand("apt could not complete the base system")
    options.unlink()


def _clean(target: Path) -> None:
    for pattern in _LITTER:
        for path in target.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


@contextmanager
def _scratch(workplace: Workplace) -> Iterator[Path]:
    """Yield a directory that is gone afterwards."""
    scratch = Path(tempfile.mkdtemp(prefix="base-", dir=workplace.cache))
    try:
        yield scratch
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", "--", scratch], check=False)
