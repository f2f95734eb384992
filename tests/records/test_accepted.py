import pytest
import recorded

from ci_toolkit.errors import UnreadableError
from ci_toolkit.records import accepted


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ((), ()),
        (("--hostname=cloud", "--format", "tar"), ("--hostname=cloud", "--format=tar")),
        (("-p", "openssh-server,vim", "-d", "debian"), ("--package=openssh-server,vim", "--distribution=debian")),
        (("--kernel-command-line=console=ttyS0 quiet",), ("--kernel-command-line=console=ttyS0 quiet",)),
        (("--environment", "VERSION=1 2"), ("--environment=VERSION=1 2",)),
        (("--mirror=https://example.org/debian/",), ("--mirror=https://example.org/debian/",)),
        (("--debug", "--timezone=Europe/Berlin"), ("--debug", "--timezone=Europe/Berlin")),
        (("--cache-only=always", "--bootable", "no"), ("--cache-only=always", "--bootable=no")),
    ],
)
def test_what_says_what_is_built_is_taken(given: tuple[str, ...], taken: tuple[str, ...]) -> None:
    assert accepted.arguments(recorded.image(arguments=given, snapshot=None)) == taken


@pytest.mark.parametrize(
    "given",
    [
        ("--extra-tree=/etc",),
        ("--build-sources=/",),
        ("--output-directory=/etc",),
        ("--output-dir", "/etc"),
        ("--output=/etc/x",),
        ("--output=../x",),
        ("--include=/root",),
        ("--directory=/root",),
        ("--sandbox-tree=/root",),
        ("--debug-shell",),
        ("--prepare-script=/x",),
        ("--package=/root/x.deb",),
        ("--package=./x.deb",),
        ("--environment=LD_PRELOAD=/x",),
        ("--environment=PATH=/x",),
        ("--environment=HOME=/x",),
        ("--mirror=file:///etc",),
        ("--mirror=https://u:p@example.org",),
        ("--format", "--extra-tree=/"),
        ("--root-password=***",),
        ("--environment=A_TOKEN=***",),
        ("--hostname=a\nb",),
        ("--tools-tree=/x",),
        ("--qemu-args=x",),
        ("shell",),
        ("--", "vm"),
        ("",),
        ("--hostname",),
    ],
)
def test_what_names_a_file_starts_a_program_or_was_masked_is_refused(given: tuple[str, ...]) -> None:
    with pytest.raises(UnreadableError) as refused:
        accepted.arguments(recorded.image(arguments=given))
    assert "\n" not in refused.value.message


def test_the_snapshot_is_pinned_also_under_arguments_of_the_callers() -> None:
    assert accepted.arguments(recorded.image(arguments=("--shell",), snapshot="2026/01/01"), ("--x",)) == (
        "--x",
        "--snapshot=2026/01/01",
    )
    for snapshot in ("../x", "/x", "--x", "", "a b"):
        with pytest.raises(UnreadableError):
            accepted.arguments(recorded.image(snapshot=snapshot))
