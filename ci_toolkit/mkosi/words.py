"""What mkosi and the package managers that it calls write, as far as more than one reader looks for it."""

import re
from typing import Final

# One of mkosi's steps.
STEP: Final = re.compile(r"\s*‣\s*(?P<step>.*)")
# How apt, pacman, dnf and zypper begin.
CALL: Final = re.compile(
    r"Reading package lists\.\.\.|resolving dependencies\.\.\."
    r"|Updating and loading repositories:|Loading repository data"
)
