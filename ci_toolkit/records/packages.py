"""The packages of an image as lines of text, for release notes and for `diff`."""

from ci_toolkit.console import printable
from ci_toolkit.records.record import Record


def render(record: Record) -> str:
    """Return one line for each package: name, version and architecture, with blanks between them."""
    return "".join(
        f"{printable(one.name)} {printable(one.version or '-')} {printable(one.architecture or '-')}\n"
        for one in record.packages or ()
    )
