import pytest

from ci_toolkit.records import masked

ENVIRON = {
    "CI_JOB_TOKEN": "glcbt-64_abcdef",
    "GITHUB_TOKEN": "ghs_0123456789",
    "PATH": "/usr/bin",
    "HOME": "/root/home",
    "DB_PASSWORD": "pw",
}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (("--hostname=x", "--package", "openssh"), ("--hostname=x", "--package", "openssh")),
        (("--mirror=https://u:p@example.org/d",), ("--mirror=https://example.org/d",)),
        (("--mirror", "https://token@example.org/d?x=1"), ("--mirror", "https://example.org/d?x=1")),
        (("--root-password=hunter2",), ("--root-password=***",)),
        (("--root-password", "hunter2", "--force"), ("--root-password", "***", "--force")),
        (("--environment=DEPLOY_TOKEN=x",), ("--environment=DEPLOY_TOKEN=***",)),
        (("--environment", "MY_KEY=x"), ("--environment", "MY_KEY=***")),
        (("-E", "VERSION=1"), ("-E", "VERSION=1")),
        (("--environment=KEYMAP=de",), ("--environment=KEYMAP=de",)),
        (("--credential=passwd.plaintext-password.root=a",), ("--credential=passwd.plaintext-password.root=***",)),
        (("--kernel-command-line=a=ghs_0123456789 b",), ("--kernel-command-line=a=*** b",)),
        (("/usr/bin", "pw"), ("/usr/bin", "pw")),
    ],
)
def test_what_nobody_else_may_know_is_masked_and_nothing_else(given: tuple[str, ...], shown: tuple[str, ...]) -> None:
    assert masked.arguments(given, ENVIRON) == shown
