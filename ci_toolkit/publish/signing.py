"""A detached signature by OpenPGP: the key comes from a variable, and lies in memory for as long as gpg needs it.

gpg wants a home. It is made on a tmpfs, removed when we end, and where we are killed by the next run: no disk ever has
the key. What was signed is verified with the public key alone, in a home of its own.
"""

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_toolkit import process
from ci_toolkit.errors import ForgeError, HostError, UsageError
from ci_toolkit.process import MINIMAL, Command, Completed
from ci_toolkit.publish import checksums, files
from ci_toolkit.publish.files import File

KEY_VARIABLE: Final = "CI_TOOLKIT_SIGNING_KEY"
PASSPHRASE_VARIABLE: Final = "CI_TOOLKIT_SIGNING_PASSPHRASE"
_PREFIX: Final = "ci-toolkit-gpg-"
# Where a tmpfs is; the name of a socket in it has to be short.
_MEMORY: Final = Path("/dev/shm")
_SECONDS: Final = 60.0
# How long a home may be there before its run has locked it.
_YOUNG_SECONDS: Final = 60.0
# An armoured key with many subkeys and pictures.
_KEY_CHARACTERS: Final = 1 << 20
_VALID: Final = re.compile(r"^\[GNUPG:\] VALIDSIG ([0-9A-F]{40,64}) .*? ([0-9A-F]{40,64})$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Key:
    """A secret key, armoured, and its passphrase; neither is ever shown."""

    armoured: str
    passphrase: str = ""


def find(environ: Mapping[str, str]) -> Key | None:
    """Return the key of ENVIRON; the variable may name a file, as GitLab's of type "file" do. Raises UsageError."""
    given = environ.get(KEY_VARIABLE, "").strip()
    if not given:
        return None
    if given.startswith("/"):
        try:
            with Path(given).open(encoding="utf-8") as file:
                given = file.read(_KEY_CHARACTERS).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the file that {KEY_VARIABLE} names cannot be read") from error
    if not given.startswith("-----BEGIN PGP PRIVATE KEY BLOCK-----") or len(given) > _KEY_CHARACTERS:
        raise UsageError(
            f"{KEY_VARIABLE} holds no armoured private key",
            hint="It is what `gpg --armor --export-secret-keys` prints.",
        )
    return Key(armoured=f"{given}\n", passphrase=environ.get(PASSPHRASE_VARIABLE, ""))


def signed(directory: Path, key: Key, say: Callable[[str], None]) -> File:
    """Sign the list of checksums in DIRECTORY, and return the signature as a file of the release. Raises as `sign`."""
    target = directory / checksums.SIGNATURE
    say(f"Signed by {sign(directory / checksums.NAME, target, key)}")
    return files.file(target, checksums.SIGNATURE)


def sign(path: Path, target: Path, key: Key) -> str:
    """Sign the file PATH, leave the armoured signature in TARGET, and return the fingerprint of the key.

    Raises HostError where gpg is missing, UsageError for a key that gpg does not take, ForgeError where what came out
    does not verify.
    """
    with _home() as home:
        _taken(_gpg(home, "--import", stdin=key.armoured), "gpg does not take the signing key")
        signed = _gpg(
            home,
            *("--armor", "--detach-sign", "--digest-algo", "SHA512", "--pinentry-mode", "loopback"),
            *("--passphrase-fd", "0", "--output", "-", "--", str(path.resolve())),
            stdin=f"{key.passphrase}\n",
        )
        _taken(signed, "gpg does not sign")
        public = _gpg(home, "--armor", "--export").stdout
    fingerprint = verify(path, signed.stdout, public)
    temporary = target.with_name(f".{target.name}")
    temporary.write_text(signed.stdout, encoding="ascii")
    temporary.replace(target)
    return fingerprint


def verify(path: Path, signature: str, public: str) -> str:
    """Return the fingerprint of the key of PUBLIC that made SIGNATURE of the file PATH. Raises ForgeError."""
    with _home() as home:
        _taken(_gpg(home, "--import", stdin=public), "gpg does not take the public key")
        judged = _gpg(home, "--status-fd", "1", "--verify", "--", "-", str(path.resolve()), stdin=signature)
    valid = _VALID.search(judged.stdout)
    if not judged.ok or valid is None:
        raise ForgeError(f"the signature of {path.name} is not good", hint="Has the file changed since it was signed?")
    return valid[2]


@contextlib.contextmanager
def _home() -> Iterator[Path]:
    """Yield a home for gpg in memory; it is gone afterwards, with the agent that gpg has started for it."""
    place = _MEMORY if os.access(_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    _sweep(place)
    home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    held = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield home
    finally:
        argv = ("gpgconf", "--homedir", str(home), "--kill", "all")
        process.run(Command(argv=argv, environment=MINIMAL), timeout_seconds=_SECONDS)
        shutil.rmtree(home, ignore_errors=True)
        os.close(held)


def _sweep(place: Path) -> None:
    """Remove the homes that runs of this user left when they were killed; a living one holds a lock on its own."""
    for path in place.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            found = path.lstat()
            young = found.st_mtime > time.time() - _YOUNG_SECONDS
            if path.is_symlink() or found.st_uid != os.geteuid() or young:
                continue
            held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(held)


def _gpg(home: Path, *arguments: str, stdin: str = "") -> Completed:
    argv = ("gpg", "--homedir", str(home), "--batch", "--no-tty", "--quiet", "--trust-model", "always", *arguments)
    done = process.run(Command(argv=argv, environment=MINIMAL), stdin=stdin, timeout_seconds=_SECONDS)
    if done.exit_code == 127:
        raise HostError("gpg is not installed, which signs", hint="As root: apt-get install gpg gpg-agent.")
    return done


def _taken(done: Completed, message: str) -> None:
    """Raise UsageError with gpg's last words, which hold no key, where it failed."""
    if not done.ok:
        said = " ".join(done.stderr.split())[-300:]
        raise UsageError(f"{message}: {said}", hint=f"See {KEY_VARIABLE} and {PASSPHRASE_VARIABLE}.")
