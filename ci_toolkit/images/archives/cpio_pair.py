"""Two cpio archives of which much is the same: such members are read once."""

from ci_toolkit.images.archives import cpio
from ci_toolkit.images.archives.cpio import Known
from ci_toolkit.images.data import Data
from ci_toolkit.images.entry import Container
from ci_toolkit.images.format import Same
from ci_toolkit.images.limits import Budget


def read(a: Data, b: Data, same: Same | None, budget: Budget) -> tuple[Container, Container]:
    """Read two archives; SAME tells of a span whether it is the same in both, None where that is not known.

    An entry that both share lies in the first one. Raises UnreadableError as `cpio.read` does.
    """
    if same is None:
        return cpio.read(a, budget), cpio.read(b, budget)
    there: dict[int, Known] = {}

    def note(known: Known) -> None:
        there[known.start] = known

    def known(position: int) -> Known | None:
        found = there.get(position)
        if found is None or found.end > b.size or not same(found.start, found.end - found.start):
            return None
        return found

    one = cpio.read_beside(a, budget, lambda _position: None, note)
    return one, cpio.read_beside(b, budget, known, lambda _known: None)
