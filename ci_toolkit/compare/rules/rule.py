"""What a rule is: a cause, how to recognise it, and what to say of one difference."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules.remedy import Remedy


class Phase(IntEnum):
    """The order in which a reader should look at causes: an earlier one can bring about all the later ones."""

    INPUT = 1
    FORMAT = 2
    FILESYSTEM = 3
    METADATA = 4
    CONTENT = 5
    DERIVED = 6
    UNKNOWN = 7


class Follows(StrEnum):
    """Whether a difference can be the mere consequence of others, and what holds where no other is there."""

    NEVER = "never"
    ELSE_UNKNOWN = "else unknown"  # of what lies inside the same container; alone it explains nothing
    ELSE_CAUSE = "else cause"  # the same, but alone it is a cause in its own right


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A cause and its recogniser, which is asked only about differences in one of `fields`.

    `globs` name the only places at which, or inside of which, it can recognise anything; none, that it may be anywhere.
    `remedies` gives a fix for this very difference, better than the cause's general one; `detail` gives a more exact
    explanation, "" for none. `origins` names the causes that a consequence follows from, where it is known better
    than "everything inside the same container"; `of_image` says that it follows from anything in the whole image.
    """

    cause: Cause
    phase: Phase
    fields: tuple[Field, ...]
    recognise: Callable[[Difference, Facts], bool]
    globs: tuple[str, ...] = ()
    remedies: Callable[[Difference, Facts], tuple[Remedy, ...]] | None = None
    detail: Callable[[Difference, Facts], str] | None = None
    follows: Follows = Follows.NEVER
    origins: Callable[[Difference, Facts], tuple[str, ...]] | None = None
    of_image: bool = False
