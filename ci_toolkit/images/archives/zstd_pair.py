"""Two zstd streams decompressed at once, one beside the other."""

from concurrent.futures import ThreadPoolExecutor

from ci_toolkit.images.archives.compressed import read_zstd
from ci_toolkit.images.archives.spool import Spool
from ci_toolkit.images.archives.spool_pair import Beside
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container
from ci_toolkit.images.format import Same
from ci_toolkit.images.limits import Budget


def read(a: Data, b: Data, _same: Same | None, budget: Budget) -> tuple[Container, Container]:
    """Decompress both. Raises UnreadableError where one is damaged or cut."""
    first = Spool()
    # The decompressor lets other threads run.
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(_first, a, budget, first)
        other = pool.submit(read_zstd, b, budget, Beside(first))
        return one.result(), other.result()


def _first(data: Data, budget: Budget, spool: Spool) -> Container:
    try:
        return read_zstd(data, budget, spool)
    finally:
        spool.end()  # the other one waits for it, even where this one is no zstd stream at all
