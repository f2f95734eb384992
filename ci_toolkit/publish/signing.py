"""The signature of a release: a detached one, of its list of checksums."""

from collections.abc import Callable
from pathlib import Path

from ci_toolkit.publish import checksums, files
from ci_toolkit.publish.files import File
from ci_toolkit.records import openpgp
from ci_toolkit.records.openpgp import Key


def signed(directory: Path, key: Key, say: Callable[[str], None]) -> File:
    """Sign the list of checksums in DIRECTORY, and return the signature as a file of the release.

    Raises as openpgp.sign does, and OSError.
    """
    made = openpgp.sign((directory / checksums.NAME).read_bytes(), key)
    target = directory / checksums.SIGNATURE
    temporary = target.with_name(f".{target.name}")
    temporary.write_text(made.armoured, encoding="ascii")
    temporary.replace(target)
    say(f"Signed by {made.signer}")
    return files.file(target, checksums.SIGNATURE)
