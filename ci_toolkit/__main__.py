"""Start the command line."""

import os
import sys


def main() -> None:
    """Run `ci-toolkit` and exit with its code."""
    _open_streams()
    from ci_toolkit.cli.main import run

    sys.exit(run())


def _open_streams() -> None:
    """Open what the caller closed (`>&-`), lest the next file that is opened be taken for it."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        continue
    os.close(number)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 - for as long as we live
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


if __name__ == "__main__":
    main()
