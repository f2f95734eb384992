"""Write the tables of inputs and outputs wherever they are told; with --check, only say where they are not so."""

import argparse
import sys

from doors import places


def main() -> int:
    """Write, or check; returns 1 where a check finds something."""
    parser = argparse.ArgumentParser(prog="python -m doors", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    code = 0
    for path, text in places.written().items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        print(f"{path.relative_to(places.ROOT)} {'is not as settings.py has it' if check else 'written'}")
        if check:
            code = 1
        else:
            path.write_text(text, encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
