"""Logs that the build left behind."""

from typing import Final

from ci_toolkit.compare.rules.droppings import dropping
from ci_toolkit.compare.rules.remedy import advice

PACMAN_LOG: Final = dropping(
    identifier="pacman-log",
    title="pacman's log is in the image",
    explanation="pacman writes a dated line for each package; mkosi has it log to nowhere, so a script called it.",
    globs=("var/log/pacman.log",),
    extra=(advice("In scripts, call pacman with `--logfile /dev/null`."),),
    source="https://github.com/systemd/mkosi/blob/main/mkosi/installer/pacman.py",
)

LOGIN_RECORDS: Final = dropping(
    identifier="login-records",
    title="Records of logins are in the image",
    explanation="The last logins of users are kept by number and time, and a tool that makes users resets them.",
    globs=("var/log/wtmp", "var/log/btmp", "var/log/lastlog", "var/log/faillog", "var/log/tallylog"),
    source="https://man7.org/linux/man-pages/man8/lastlog.8.html",
)

DKMS_LOG: Final = dropping(
    identifier="dkms-log",
    title="dkms's log is in the image",
    explanation="dkms keeps the log of compiling each module, with the date and the time that it took.",
    globs=("var/lib/dkms/*/make.log", "var/lib/dkms/*/make.log.*"),
    removes=("/var/lib/dkms/*/*/*/*/log",),
    source="https://git.silverlabs.uk/SilverLABS/SilverMetal/src/commit/10e099fcf9f3a5e0c2fb247b47ec41dd0ff91368/linux/build/scripts",
)

LOG_FILE: Final = dropping(
    identifier="log-file",
    title="A log of the build is in the image",
    explanation="Package tools write dated lines about the build into their logs, and the image keeps them.",
    globs=("var/log/*",),
    source="https://github.com/systemd/mkosi/issues/3331",
)
