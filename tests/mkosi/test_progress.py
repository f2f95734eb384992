"""What is shown of a build. The lines are those of apt, pacman, dnf, zypper and mkosi, shortened."""

from dataclasses import dataclass, field

import pytest

from ci_toolkit.mkosi.progress import SILENT_SECONDS, Progress

APT = """\
Reading package lists...
Building dependency tree...
The following additional packages will be installed:
  libacl1 libattr1
The following NEW packages will be installed:
  base-files libacl1
  libattr1
0 upgraded, 3 newly installed, 0 to remove and 0 not upgraded.
Need to get 500 kB/25.4 MB of archives.
After this operation, 98.9 MB of additional disk space will be used.
Get:1 http://mirror.example/debian trixie/main amd64 libattr1 amd64 1:2.5.2-3 [200 kB]
Get:2 http://mirror.example/debian trixie/main amd64 libacl1 amd64 2.3.2-2 [300 kB]
Fetched 500 kB in 0s (2,000 kB/s)
Selecting previously unselected package libattr1:amd64.
(Reading database ... 0 files and directories currently installed.)
Preparing to unpack .../libattr1_2.5.2-3_amd64.deb ...
Unpacking libattr1:amd64 (1:2.5.2-3) ...
Setting up libattr1:amd64 (1:2.5.2-3) ...
Setting up libacl1:amd64 (2.3.2-2) ...
Processing triggers for libc-bin (2.41-12) ...
"""

PACMAN = """\
:: Synchronizing package databases...
 core downloading...
resolving dependencies...
looking for conflicting packages...
Packages (4) acl-2.3.2-1  attr-2.5.2-1  filesystem-2025.05-1  iana-etc-20250612-1
Total Download Size:    1.50 MiB
Total Installed Size:   9.00 MiB
:: Retrieving packages...
 acl-2.3.2-1-x86_64 downloading...
 attr-2.5.2-1-x86_64 downloading...
checking keyring...
checking package integrity...
:: Processing package changes...
installing acl...
installing attr...
Optional dependencies for attr
    python: for nothing
"""

DNF = """\
Updating and loading repositories:
Repositories loaded.
 Installing:        5 packages
[1/5] setup-0:2.15.0-1.noarch   100% |   1.0 MiB/s | 150.0 KiB |  00m00s
[2/5] filesystem-0:3.18-1.x86_64 100% |   1.0 MiB/s |   1.3 MiB |  00m01s
[3/8] Installing setup-0:2.15.0 100% |  10.0 MiB/s | 700.0 KiB |  00m00s
"""

ZYPPER = """\
Loading repository data...
Reading installed packages...
7 new packages to install.
Retrieving: system-user-root-20190513-2.noarch (oss) (1/7),   5.5 KiB
(1/7) Installing: system-user-root-20190513-2.noarch [..done]
(2/7) Installing: filesystem-84.87-17.x86_64 [..done]
"""


@dataclass
class Log:
    """A clock that stands still until it is moved, and what was shown."""

    whole: bool = False
    now: float = 1000.0
    shown: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.progress = Progress(show=self.shown.append, whole=self.whole, clock=lambda: self.now)

    def hear(self, text: str) -> None:
        for line in text.splitlines(keepends=True):
            self.progress.hear(line)

    def wait(self, line: str) -> list[str]:
        """Hear LINE when nothing was shown for long, and return what is shown then."""
        self.now += SILENT_SECONDS
        self.shown.clear()
        self.hear(line)
        return self.shown


def test_a_step_is_shown_with_the_time_since_the_build_began() -> None:
    log = Log()
    log.now += 75
    log.hear("‣ [main]  Installing Debian\n")
    assert log.shown == ["  1:15 ‣ [main]  Installing Debian\n"]


@pytest.mark.parametrize("said", [APT, PACMAN, ZYPPER])
def test_lines_for_each_package_are_not_shown(said: str) -> None:
    log = Log()
    log.hear(said)
    assert [line for line in log.shown if "Reading installed" not in line] == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (APT, "2 of 3 packages installed (66 %)"),
        (APT[: APT.index("Setting up")], "1 of 3 packages unpacked (33 %)"),
        (APT[: APT.index("Fetched")], "2 packages fetched, 0.5 of 0.5 MB"),
        (PACMAN, "2 of 4 packages installed (50 %)"),
        (PACMAN[: PACMAN.index("checking keyring")], "2 packages fetched"),
        (DNF, "1 of 5 packages installed (20 %)"),
        (ZYPPER, "2 of 7 packages installed (28 %)"),
        (ZYPPER[: ZYPPER.index("(1/7) Inst")], "1 package fetched"),
    ],
)
def test_they_are_told_in_one_line_from_time_to_time(said: str, told: str) -> None:
    log = Log()
    log.hear("‣ Installing\n" + said)
    assert log.wait("Hit:1 http://mirror.example trixie InRelease\n") == [f"  0:20   … Installing: {told}"]
    log.shown.clear()
    log.hear("Hit:2 http://mirror.example trixie InRelease\n")
    assert log.shown == [], "not again at once"


def test_what_a_script_says_is_shown_as_it_is() -> None:
    log = Log()
    log.hear("+ do something\n  indented\nWARNING: something\n")
    assert log.shown == ["+ do something\n", "  indented\n", "WARNING: something\n"]


def test_what_follows_a_list_of_names_is_shown() -> None:
    log = Log()
    log.hear(
        "The following NEW packages will be installed:\n  one two\nE: Unable to locate package three\n  indented\n"
    )
    assert log.shown == ["E: Unable to locate package three\n", "  indented\n"]


def test_a_new_call_of_the_package_manager_counts_anew() -> None:
    log = Log()
    log.hear(APT)
    assert log.wait("Reading package lists...\n") == ["  0:20   … mkosi"]


def test_the_whole_log_is_shown_where_it_is_wanted() -> None:
    log = Log(whole=True)
    log.hear(APT)
    assert "".join(log.shown) == APT


def test_a_silent_build_is_told_of_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_toolkit.mkosi.progress.SILENT_SECONDS", 0.02)
    shown: list[str] = []
    progress = Progress(show=shown.append)
    progress.hear("‣ Compressing\n")
    with progress.ticking():
        while len(shown) < 3:
            pass
    assert shown[1:3] == ["  0:00   … Compressing", "  0:00   … Compressing"]


@pytest.mark.parametrize("line", ["Need to get 1.2.3 MB of archives.\n", "Get:1 x [9,9.9.9 kB]\n", "Packages (0)\n"])
def test_odd_numbers_are_no_failure(line: str) -> None:
    log = Log()
    log.hear(line)
    assert log.wait("Setting up x\n")[0].endswith("1 package installed")
