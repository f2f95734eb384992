"""One SHA-256 for all files of a definition, which anybody can compute from a checkout of the commit.

It is that of one line for each file, in the order of the names' bytes: git's mode of it (100644, 100755, or 120000 for
a symbolic link), a blank, the SHA-256 of its content (of a link: where it leads), a blank, its name relative to the
root, and a zero byte.
"""

import hashlib
import os
from pathlib import Path
from typing import Final

from ci_toolkit.mkosi.source import SECRETS

# What only one machine has: a password's digest among known ones could be guessed from the sum, and nobody else could
# compute it.
LOCAL: Final = SECRETS | {"mkosi.crt", "mkosi.local.conf"}


def definition(tree: Path) -> tuple[str, tuple[str, ...]]:
    """Return the digest of TREE, a copy that source.copy made, and the names that were left out of it."""
    sums = hashlib.sha256()
    left_out = []
    found = ((os.fsencode(path.relative_to(tree)), path) for path in tree.rglob("*"))
    for name, path in sorted((name, path) for name, path in found if path.is_symlink() or path.is_file()):
        if path.name in LOCAL:
            left_out.append(os.fsdecode(name))
            continue
        mode, content = _look(path)
        sums.update(b"%s %s %s\0" % (mode, content.encode(), name))
    return sums.hexdigest(), tuple(left_out)


def _look(path: Path) -> tuple[bytes, str]:
    if path.is_symlink():
        return b"120000", hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return (b"100755" if path.stat().st_mode & 0o100 else b"100644"), content
