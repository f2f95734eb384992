"""The door: `python3 -m bootstrap VERB...`; only this file is read by a Python that is too old."""

import sys

NEEDED = (3, 11)


def main():  # type: () -> int
    """Refuse an old Python in one line, else hand over to the verbs."""
    if sys.version_info < NEEDED:
        have = ".".join(str(part) for part in sys.version_info[:3])
        sys.stderr.write(
            f"set-up: Python 3.11 or newer is needed and this is {have}; install a newer one and name it, as in "
            "`make PYTHON=python3.12 demo`.\n"
        )
        return 1
    from bootstrap.verbs import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
