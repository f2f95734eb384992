"""The list of an image's files as mtree(5), compressed: `bsdtar -tvf` shows it, and so do zcat and a text editor.

https://man.freebsd.org/cgi/man.cgi?query=mtree&sektion=5
"""

import gzip
import re
import zlib
from collections.abc import Iterable
from typing import Final

from ci_toolkit.errors import UnreadableError
from ci_toolkit.images.entry import Kind, text
from ci_toolkit.images.limits import MIB
from ci_toolkit.images.listing import LIMIT_FILES, Listed, raw

LIMIT_BYTES: Final = 64 * MIB
_SIGNATURE: Final = b"#mtree\n"
_TYPES: Final = {
    Kind.FILE: "file",
    Kind.SYMLINK: "link",
    Kind.CHARACTER: "char",
    Kind.BLOCK: "block",
    Kind.FIFO: "fifo",
    Kind.SOCKET: "socket",
}
_KINDS: Final = {name: kind for kind, name in _TYPES.items()}
# Whatever else a name has is written as an octal escape, as vis(3) does.
_UNSAFE: Final = re.compile(rb"[^A-Za-z0-9/._+:,@%~^-]")
_LINE: Final = re.compile(rb"\./([!-~]{1,70000}) type=([a-z]{4,6})(?: size=([0-9]{1,18}))?")
_ESCAPE: Final = re.compile(rb"\\([0-3][0-7]{2})")
_HINT: Final = "Give the list that verify or build wrote, as it was written."


def render(files: Iterable[Listed]) -> bytes:
    """Return FILES as a compressed mtree: the same bytes for the same list."""
    lines = [_SIGNATURE]
    for path, kind, size in files:
        name = _UNSAFE.sub(lambda match: b"\\%03o" % match[0][0], raw(path)).decode("ascii")
        length = f" size={size}" if kind is Kind.FILE else ""
        lines.append(f"./{name} type={_TYPES.get(kind, 'file')}{length}\n".encode("ascii"))
    return gzip.compress(b"".join(lines), mtime=0)


def parse(data: bytes, limit: int = LIMIT_FILES) -> tuple[Listed, ...]:
    """Return the list of at most LIMIT files that DATA, which anybody may have made, holds, as `render` wrote it.

    Raises UnreadableError.
    """
    content = _unpacked(data)
    if not content.startswith(_SIGNATURE):
        raise UnreadableError("the list of files is not ours: it does not begin as an mtree", hint=_HINT)
    if content.count(b"\n") > limit + 1:
        raise UnreadableError(f"the list of files has more than {limit:,} lines", hint=_HINT)
    listed: dict[str, Listed] = {}
    for number, line in enumerate(content[len(_SIGNATURE) :].splitlines(), 2):
        found = _LINE.fullmatch(line)
        kind = _KINDS.get(found[2].decode("ascii")) if found is not None else None
        if found is None or kind is None:
            raise UnreadableError(f"the list of files is not ours: line {number} cannot be read", hint=_HINT)
        path = text(_ESCAPE.sub(lambda match: bytes((int(match[1], 8),)), found[1]))
        listed[path] = Listed(path, kind, int(found[3] or 0))
    return tuple(sorted(listed.values()))


def _unpacked(data: bytes) -> bytes:
    unpack = zlib.decompressobj(wbits=31)
    try:
        content = unpack.decompress(data, LIMIT_BYTES)
    except zlib.error as error:
        raise UnreadableError(f"the list of files is damaged: {error}", hint=_HINT) from error
    if not unpack.eof:
        why = "larger than 64 MiB" if unpack.unconsumed_tail else "cut"
        raise UnreadableError(f"the list of files is {why}", hint=_HINT)
    return content
