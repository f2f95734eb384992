"""Detached signatures by OpenPGP: made with a key from a variable, and which of the keys that we were given made one.

gpg gets a home of its own each time, with the keys that we were given and no other. It is made on a tmpfs, removed when
we end, and where we are killed by the next run: no disk ever has a secret key.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_toolkit import process
from ci_toolkit.console import printable
from ci_toolkit.errors import HostError, UsageError
from ci_toolkit.process import MINIMAL, Command, Completed

KEY_VARIABLE: Final = "CI_TOOLKIT_SIGNING_KEY"
PASSPHRASE_VARIABLE: Final = "CI_TOOLKIT_SIGNING_PASSPHRASE"
_SECONDS: Final = 60.0
_PREFIX: Final = "ci-toolkit-gpg-"
# Where a tmpfs is; the name of a socket in it has to be short.
_MEMORY: Final = Path("/dev/shm")
# How long a home may be there before its run has locked it.
_YOUNG_SECONDS: Final = 60.0
# An armoured key with many subkeys and pictures.
_KEY_BYTES: Final = 1 << 20
_SECRET_BEGIN: Final = "-----BEGIN PGP PRIVATE KEY BLOCK-----"
# What gpg says of a signature that it does not take, and what that means.
_BAD: Final = {
    "BADSIG": "it was made of another file",
    "EXPSIG": "it has expired",
    "EXPKEYSIG": "its key has expired",
    "REVKEYSIG": "its key was revoked",
    "NO_PUBKEY": "it was made by another key than was given",
    "ERRSIG": "it cannot be checked",
    "NODATA": "it is no signature",
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Key:
    """A secret key, armoured, and its passphrase; neither is ever shown."""

    armoured: str
    passphrase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """An armoured signature, and the fingerprint of the primary key that made it."""

    armoured: str
    signer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Who signed: the fingerprints of primary keys, as gpg writes them; where nobody of those given, why not."""

    signers: frozenset[str]
    reason: str = ""


def keys(given: Sequence[str], environ: Mapping[str, str]) -> tuple[bytes, ...]:
    """Return the public keys that GIVEN names: files, or fingerprints of keys in the caller's own keyring.

    Raises UsageError for what is neither.
    """
    return tuple(_key(one, environ) for one in given)


def judge(content: bytes, signature: bytes, public: Sequence[bytes]) -> Judgement:
    """Tell which keys of PUBLIC made SIGNATURE of CONTENT.

    A file of several signatures counts where none of them is bad; those of keys that were not given count for nobody.
    """
    with _home() as home:
        for number, key in enumerate(public):
            (home / f"{number}.key").write_bytes(key)
            _gpg(home, "--import", "--", str(home / f"{number}.key"))
        (home / "content").write_bytes(content)
        (home / "signature").write_bytes(signature)
        done = _gpg(home, "--status-fd", "1", "--verify", "--", str(home / "signature"), str(home / "content"))
    words = [line.split() for line in done.stdout.splitlines() if line.startswith("[GNUPG:] ") and len(line) > 9]
    # A bad one spoils all; one of a key that nobody knows is only nobody's.
    said = {word[1] for word in words}
    bad = next((reason for sign, reason in _BAD.items() if sign in said and sign not in ("NO_PUBKEY", "ERRSIG")), None)
    good = frozenset(word[-1] for word in words if word[1] == "VALIDSIG") if "GOODSIG" in said else frozenset()
    if bad is not None or not good:
        reason = bad or next((reason for sign, reason in _BAD.items() if sign in said), "gpg finds no signature")
        return Judgement(signers=frozenset(), reason=reason)
    return Judgement(signers=good)


def secret_key(environ: Mapping[str, str]) -> Key | None:
    """Return the key of ENVIRON, None where there is none; the variable may name a file, as GitLab's of type "file" do.

    Raises UsageError.
    """
    given = environ.get(KEY_VARIABLE, "").strip()
    if not given:
        return None
    if given.startswith("/"):
        given = _secret_file(Path(given))
    if not given.startswith(_SECRET_BEGIN) or len(given) > _KEY_BYTES:
        raise UsageError(
            f"{KEY_VARIABLE} holds no armoured private key",
            hint="It is what `gpg --armor --export-secret-keys` prints.",
        )
    return Key(armoured=f"{given}\n", passphrase=environ.get(PASSPHRASE_VARIABLE, ""))


def sign(content: bytes, key: Key) -> Signed:
    """Sign CONTENT, and verify the signature with the public key alone.

    Raises HostError where gpg is missing, UsageError for a key that gpg does not take.
    """
    with _home() as home:
        (home / "content").write_bytes(content)
        _taken(_gpg(home, "--import", stdin=key.armoured))
        done = _gpg(
            home,
            *("--armor", "--detach-sign", "--digest-algo", "SHA512", "--pinentry-mode", "loopback"),
            *("--passphrase-fd", "0", "--output", "-", "--", str(home / "content")),
            stdin=f"{key.passphrase}\n",
        )
        _taken(done)
        public = _gpg(home, "--armor", "--export").stdout
    judged = judge(content, done.stdout.encode("ascii"), [public.encode("ascii")])
    if not judged.signers:
        raise UsageError(
            f"what the key of {KEY_VARIABLE} signs does not verify: {judged.reason}", hint="Use another key."
        )
    return Signed(armoured=done.stdout, signer=min(judged.signers))


def _key(given: str, environ: Mapping[str, str]) -> bytes:
    compact = given.replace(" ", "").removeprefix("0x").upper()
    if len(compact) in (40, 64) and not set(compact) - set("0123456789ABCDEF"):
        kept = {name: environ[name] for name in ("HOME", "GNUPGHOME") if name in environ}
        argv = ("gpg", "--batch", "--no-tty", "--armor", "--export", compact)
        done = _run(Command(argv=argv, environment={**MINIMAL, **kept}))
        if not done.ok or "BEGIN PGP PUBLIC KEY" not in done.stdout:
            raise UsageError(
                f"no key {compact} is in your keyring", hint="Import it with gpg --import, or name a file that has it."
            )
        return done.stdout.encode("ascii")
    content = _file(Path(given))
    with _home() as home:
        (home / "key").write_bytes(content)
        done = _gpg(home, "--with-colons", "--show-keys", "--", str(home / "key"))
    if not done.ok or not any(line.startswith("pub:") for line in done.stdout.splitlines()):
        raise UsageError(f"{given} holds no public key", hint="Name what `gpg --armor --export` printed.")
    return content


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_KEY_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"the key {path}: {error.strerror}", hint="Name a file, or a fingerprint of 40 digits."
        ) from error
    if len(content) > _KEY_BYTES:
        raise UsageError(f"the key {path} is larger than {_KEY_BYTES >> 20} MiB", hint="Name a file with one key.")
    return content


def _secret_file(path: Path) -> str:
    """Return what PATH holds; its name is not told, since a key that was mangled may begin as a path does."""
    try:
        with path.open(encoding="ascii") as file:
            return file.read(_KEY_BYTES).strip()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the file that {KEY_VARIABLE} names cannot be read", hint="It holds an armoured private key."
        ) from error


@contextmanager
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
        with suppress(OSError):
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
    return _run(Command(argv=argv, environment=MINIMAL), stdin)


def _run(command: Command, stdin: str = "") -> Completed:
    done = process.run(command, stdin=stdin, timeout_seconds=_SECONDS)
    if done.exit_code == 127:
        raise HostError("gpg is not installed, which checks signatures", hint="As root: apt-get install gpg.")
    return done


def _taken(done: Completed) -> None:
    if not done.ok:
        raise UsageError(
            f"gpg does not sign with the key of {KEY_VARIABLE}: {printable(' '.join(done.stderr.split())[-300:])}",
            hint=f"It is what `gpg --armor --export-secret-keys` prints; its passphrase is in {PASSPHRASE_VARIABLE}.",
        )
