import subprocess
import sys
from pathlib import Path

import pytest

from ci_toolkit.mkosi import complaint
from ci_toolkit.mkosi.complaint import ROWS

HOST = "127.0.0.1:8099"
M = f"http://{HOST}"

# What apt 3.1, pacman 7.1, dnf 4, GNU tar and mkosi 27 said when it was done to them (docs/reliability.md), and the
# sentence for it; of a line that stands for more than itself, the ones that follow too.
SAID = {
    "full, by tar": ("/usr/bin/tar: -: Wrote only 8192 of 10240 bytes", "a file system is full"),
    "memory, a script": (
        'Killed\n‣ [main] "/script/postinst final" returned non-zero exit code 137.',
        "a program was killed, as the kernel does where memory runs out",
    ),
    "memory, a program that took the script's place": (
        '‣ [main] "/script/postinst final" was killed by SIGKILL signal.',
        "a program was killed, as the kernel does where memory runs out",
    ),
    "memory that is not given": (
        "Traceback (most recent call last):\nMemoryError\n‣ (…) returned non-zero exit code 1.",
        "there is not enough memory",
    ),
    "apt, 404": (
        f"E: The repository '{M}/m404 trixie Release' does not have a Release file.",
        f"the mirror {HOST} does not have what is asked for",
    ),
    "apt, 404 of a file": (
        f"E: Failed to fetch {M}/m404/debian/dists/trixie/main/source/Sources  404  Not Found [IP: 127.0.0.1 8099]",
        f"the mirror {HOST} does not have what is asked for",
    ),
    "apt, 503": (
        f"W: Failed to fetch {M}/m503/dists/trixie/InRelease  503  Service Unavailable [IP: 127.0.0.1 8099]\n"
        "W: Some index files failed to download. They have been ignored, or old ones used instead.\n"
        + "‣ [main]  Installing Debian\n" * complaint.LAST
        + "E: Unable to locate package base-files",
        f"the mirror {HOST} answers 503",
    ),
    "apt, stalled": (
        f"W: Failed to fetch {M}/mslow/dists/trixie/InRelease  Connection failed [IP: 127.0.0.1 8099]\n"
        "E: Unable to locate package base-files",
        f"the mirror {HOST} does not answer in time",
    ),
    "apt, no such name": (
        "W: Failed to fetch http://mirror.invalid/d/dists/trixie/InRelease  Could not resolve 'mirror.invalid'\n"
        "E: Unable to locate package base-files",
        "the name of the mirror mirror.invalid cannot be resolved",
    ),
    "apt, no network": (
        "W: Failed to fetch http://mirror.example/debian/dists/trixie/InRelease  "
        "Temporary failure resolving 'mirror.example'\nE: Unable to locate package base-files",
        "the name of the mirror mirror.example cannot be resolved",
    ),
    "apt, refused": (
        "W: Failed to fetch http://127.0.0.1:9/d/dists/trixie/InRelease  Unable to connect to 127.0.0.1:9:\n"
        "E: Unable to locate package base-files",
        "nobody answers at the mirror 127.0.0.1:9",
    ),
    "apt, no way there": (
        "  Cannot initiate the connection to 192.0.2.1:80 (192.0.2.1). - connect (101: Network is unreachable)\n"
        "E: The repository 'http://192.0.2.1/debian trixie Release' does not have a Release file.",
        "nobody answers at the mirror 192.0.2.1",
    ),
    "apt, no package among those of a mirror that need not be signed": (
        f"W: The repository '{M}/mempty trixie Release' is not signed.\nE: Unable to locate package base-files",
        "the package base-files is not there",
    ),
    "apt, not signed": (
        f"E: The repository '{M}/mempty trixie Release' is not signed.",
        f"the repository {HOST} is not signed by a key that is known",
    ),
    "tar, no such id": (
        "tar: ./usr/sbin/unix_chkpwd: Cannot change ownership to uid 0, gid 42: Invalid argument",
        "a file cannot be given its owner: the build's namespace lacks that id",
    ),
    "apt, no package": ("E: Unable to locate package nosuch", "the package nosuch is not there"),
    "pacman, 404": (
        "error: failed retrieving file 'core.db' from 127.0.0.1:8099 : The requested URL returned error: 404",
        "the mirror 127.0.0.1:8099 does not have what is asked for",
    ),
    "pacman, 503": (
        "error: failed retrieving file 'core.db' from 127.0.0.1:8099 : The requested URL returned error: 503",
        "the mirror 127.0.0.1:8099 answers 503",
    ),
    "pacman, stalled": (
        "error: failed retrieving file 'core.db' from 127.0.0.1:8099 : "
        "Operation too slow. Less than 1 bytes/sec transferred the last 10 seconds",
        "the mirror 127.0.0.1:8099 does not answer in time",
    ),
    "pacman, no such name": (
        "error: failed retrieving file 'extra.db' from mirror.invalid : Could not resolve host: mirror.invalid",
        "the name of the mirror mirror.invalid cannot be resolved",
    ),
    "pacman, refused": (
        "error: failed retrieving file 'core.db' from 127.0.0.1:9 : "
        "Failed to connect to 127.0.0.1:9 after 0 ms: Could not connect to server",
        "nobody answers at the mirror 127.0.0.1:9",
    ),
    "pacman, no package": ("error: target not found: filesystem", "the package filesystem is not there"),
    "dnf, 404": (
        f"  - Status code: 404 for {M}/m404/linux/releases/42/Everything/x86_64/os/repodata/repomd.xml "
        "(IP: 127.0.0.1)\n"
        "Error: Failed to download metadata for repo 'fedora': Cannot download repomd.xml: "
        "Cannot download repodata/repomd.xml: All mirrors were tried",
        f"the mirror {HOST} does not have what is asked for",
    ),
    "dnf, 503": (
        f"  - Status code: 503 for {M}/m503/linux/releases/42/Everything/x86_64/os/repodata/repomd.xml (IP: 127.0.0.1)",
        f"the mirror {HOST} answers 503",
    ),
    "dnf, no such name": (
        "  - Curl error (6): Could not resolve hostname for http://mirror.invalid/x/linux/releases/42/Everything/"
        "x86_64/os/repodata/repomd.xml [Could not resolve host: mirror.invalid]",
        "the name of the mirror mirror.invalid cannot be resolved",
    ),
    "dnf, refused": (
        "  - Curl error (7): Could not connect to server for http://127.0.0.1:9/x/linux/releases/42/Everything/x86_64/"
        "os/repodata/repomd.xml [Failed to connect to 127.0.0.1:9 after 0 ms: Could not connect to server]",
        "nobody answers at the mirror 127.0.0.1:9",
    ),
    "dnf, no package": (
        "No match for argument: basesystem\nError: Unable to find a match: basesystem",
        "the package basesystem is not there",
    ),
    "chown, one id": (
        "chown: changing ownership of 'srv/a/one': Invalid argument",
        "a file cannot be given its owner: the build's namespace lacks that id",
    ),
    "mkosi, a script's mode": (
        "‣ /var/tmp/ci-toolkit/source/mkosi.postinst is not executable",
        "/var/tmp/ci-toolkit/source/mkosi.postinst is not executable",
    ),
}


def sentence(lines: list[str]) -> str | None:
    found = complaint.find(lines)
    return found.sentence if found else None


@pytest.mark.parametrize("case", SAID)
def test_a_fault_is_named_in_one_sentence_with_the_next_step(case: str) -> None:
    said, expected = SAID[case]
    found = complaint.find([*said.splitlines(keepends=True), "‣ (sandbox command omitted, rerun with --debug …)\n"])
    assert found is not None
    assert found.sentence == expected
    assert found.hint is not None
    assert found.line in (line.strip() for line in said.splitlines())


def test_no_password_of_an_address_is_told() -> None:
    said, _ = SAID["apt, 404"]
    found = complaint.find([said.replace("http://", "https://job:secret@")])
    assert found is not None
    assert found.sentence == f"the mirror {HOST} does not have what is asked for"


def test_every_row_has_been_seen() -> None:
    seen = {hint for said, _ in SAID.values() if (found := complaint.find(said.splitlines())) and (hint := found.hint)}
    assert seen == {row.hint for row in ROWS}


def test_a_mirror_that_apt_got_over_is_not_to_blame_for_what_fails_later() -> None:
    said, _ = SAID["apt, 503"]
    earlier = [*said.splitlines()[:2], *["Setting up liberror-perl (0.17029-2) ..."] * complaint.LAST]
    assert sentence([*earlier, "E: Sub-process /usr/bin/dpkg returned an error code (1)"]) == (
        "E: Sub-process /usr/bin/dpkg returned an error code (1)"
    )


def test_the_first_complaint_counts_since_the_others_follow_from_it() -> None:
    assert sentence(["Errors were encountered while processing:", "error: a: b", "E: Sub-process failed"]) == (
        "error: a: b"
    )


def test_a_full_disk_is_told_before_what_follows_from_it() -> None:
    with Path("/dev/full").open("wb") as full:
        said = subprocess.run(("echo", "1"), stdout=full, stderr=subprocess.PIPE, text=True, check=False).stderr
    follows = ["E: Failed to fetch http://mirror.example/debian", *["Reading package lists..."] * 20, "E: It failed"]
    found = complaint.find([said, *follows])
    assert found is not None
    assert (found.sentence, found.line) == ("a file system is full", said.strip())
    assert sentence(follows) == "E: It failed"


def test_an_owner_that_a_namespace_with_one_id_lacks_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    argv = ("unshare", "--user", "--map-root-user", "chown", "33:12", tmp_path / "file")
    said = subprocess.run(argv, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"}).stderr
    if said.startswith("unshare"):
        pytest.skip(f"no user namespace here: {said}")
    found = complaint.find([*said.splitlines(), "Error: it failed"])
    assert found is not None
    assert found.line == said.strip()
    assert "single-id" in (found.hint or "")


def test_of_a_traceback_its_last_line_is_told() -> None:
    said = subprocess.run((sys.executable, "-c", "b'\\xff'.decode()"), capture_output=True, text=True, check=False)
    found = sentence(said.stderr.splitlines())
    assert found is not None
    assert said.stderr.rstrip().endswith(found)
    assert found.startswith("UnicodeDecodeError: ")


def test_of_a_usage_the_complaint_is_told_without_its_preface() -> None:
    program = "import argparse; argparse.ArgumentParser('mkosi').parse_args(['--nosuch'])"
    said = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=False)
    assert sentence(said.stderr.splitlines()) == "unrecognized arguments: --nosuch"


@pytest.mark.parametrize("line", ["‣ Installing Debian", "Errors: 0", "Setting up liberror-perl (0.17029-2) ...", ""])
def test_what_only_talks_is_no_complaint(line: str) -> None:
    assert complaint.find([line]) is None
