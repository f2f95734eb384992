"""Keys that gpg itself makes, and files that it signs, in a home of their own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, kw_only=True)
class Keys:
    """gpg's home; a key is known by the name that it was made for."""

    home: Path

    def gpg(self, *arguments: str | Path, stdin: bytes = b"") -> bytes:
        argv = ("gpg", "--homedir", self.home, "--batch", "--quiet", "--pinentry-mode", "loopback", *arguments)
        return subprocess.run(argv, input=stdin, check=True, capture_output=True).stdout

    def make(self, name: str, *, expires: str = "never", passphrase: str = "") -> str:
        """Make a key and return its fingerprint."""
        words = (
            "--passphrase",
            passphrase,
            "--quick-generate-key",
            f"{name} <{name}@example.org>",
            "ed25519",
            "sign",
            expires,
        )
        self.gpg(*words)
        return self.fingerprint(name)

    def fingerprint(self, name: str) -> str:
        listed = self.gpg("--with-colons", "--list-keys", f"{name}@example.org").decode()
        return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))

    def public(self, name: str) -> bytes:
        return self.gpg("--armor", "--export", f"{name}@example.org")

    def secret(self, name: str, passphrase: str = "") -> str:
        return self.gpg("--passphrase", passphrase, "--armor", "--export-secret-keys", f"{name}@example.org").decode()

    def sign(self, name: str, content: bytes, *options: str) -> bytes:
        words = ("--passphrase", "", "--local-user", f"{name}@example.org", *options, "--armor", "--detach-sign")
        return self.gpg(*words, stdin=content)


@contextmanager
def made(*names: str) -> Iterator[Keys]:
    """Yield a home with a key for each of NAMES; the agent that gpg starts ends with it."""
    if shutil.which("gpg") is None or shutil.which("gpgconf") is None:
        pytest.skip("gpg is needed (Debian: gpg, gpg-agent)")
    # The name of the agent's socket has to be short.
    home = Path(tempfile.mkdtemp(prefix="keys-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    keys = Keys(home=home)
    try:
        for name in names:
            keys.make(name)
        yield keys
    finally:
        subprocess.run(("gpgconf", "--homedir", home, "--kill", "all"), check=False, capture_output=True)
        shutil.rmtree(home, ignore_errors=True)  # the agent removes its sockets at the same time
