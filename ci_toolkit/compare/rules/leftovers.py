"""What programs keep for themselves while they run, and a build has no use for."""

from typing import Final

from ci_toolkit.compare.rules.droppings import dropping
from ci_toolkit.compare.rules.remedy import advice

_CHECKLIST: Final = "https://libguestfs.org/virt-sysprep.1.html#operations"

TOOL_CACHE: Final = dropping(
    identifier="tool-cache",
    title="Caches of download tools in root's home",
    explanation="Downloads during the build leave caches with times and addresses in root's home.",
    globs=("root/.cache/*", "root/.wget-hsts", "root/.npm/*", "root/.cargo/registry/*"),
    source="https://github.com/docker-library/httpd/pull/248",
)

SHELL_HISTORY: Final = dropping(
    identifier="shell-history",
    title="The history of a shell or an editor is in the image",
    explanation="Interactive programs remember in a home directory what was typed, often with the time.",
    globs=tuple(
        f"{home}/.{name}"
        for home in ("root", "home/*")
        for name in (
            "bash_history",
            "zsh_history",
            "ash_history",
            "python_history",
            "lesshst",
            "viminfo",
            "sqlite_history",
        )
    ),
    source=_CHECKLIST,
)

GNUPG_HOME: Final = dropping(
    identifier="gnupg-home",
    title="GnuPG's home was made during the build",
    explanation="gpg makes its trust database at its first call, with the time, and keys and sockets beside it.",
    globs=("root/.gnupg/*", "home/*/.gnupg/*"),
    removes=("/root/.gnupg", "/home/*/.gnupg"),
    extra=(advice("In scripts, give gpg a home that is thrown away: `GNUPGHOME=$(mktemp -d)`."),),
    source="https://www.gnupg.org/documentation/manuals/gnupg/GPG-Configuration.html",
)

LOGROTATE_STATE: Final = dropping(
    identifier="logrotate-state",
    title="logrotate's state is in the image",
    explanation="logrotate notes for each log when it saw it last.",
    globs=("var/lib/logrotate/status", "var/lib/logrotate/logrotate.status", "var/lib/logrotate.status"),
    source=_CHECKLIST,
)

TEMPORARY_FILE: Final = dropping(
    identifier="temporary-file",
    title="Temporary files were left behind",
    explanation="Programs make temporary files under random names, and one that ends early leaves them behind.",
    globs=("tmp/*", "var/tmp/*", "run/*", ".#hardlink*", "*/.#hardlink*"),
    removes=("/tmp/*", "/var/tmp/*", "/run/*", "/.#hardlink*"),
    source="https://github.com/systemd/systemd/issues/29606",
)
