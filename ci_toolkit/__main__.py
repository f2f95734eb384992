"""Start the command line."""

import gc
import os
import sys


def main() -> None:
    """Run `ci-toolkit` and exit with its code."""
    _open_streams()
    from ci_toolkit.cli.main import run

    code = run()
    # Else all that is left would be searched for cycles, only to end.
    gc.freeze()
    sys.exit(code)


def _open_streams() -> None:
    """Open what the caller closed (`>&-`), lest the next file that is opened be taken for it."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        continue
    os.close(number)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 - for as long as we live
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


if __name__ == "__main__":
    main()
