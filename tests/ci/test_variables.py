"""Values that are what they claim to be."""

import pytest

from ci_toolkit.ci import variables


@pytest.mark.parametrize("value", ["https://git.example.org/api/v3/", "http://127.0.0.1:8080/api/v4", "https://h/~a/b"])
def test_an_address_is_kept_without_its_last_slash(value: str) -> None:
    assert variables.address(value) == value.rstrip("/")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "git.example.org",
        "file:///etc/passwd",
        "ftp://git.example.org",
        "javascript:alert(1)",
        "https://",
        "https://user:secret@git.example.org",
        "https://token@git.example.org",
        "https://git.example.org/?private_token=secret",
        "https://git.example.org/#a",
        "https://git.example.org/a b",
        "https://git.example.org/\n",
        "https://git.example.org/)[x](https://evil.example.org",
        "https://git.example.org/<script>",
        "https://git.example.org:port/",
        "https://[::1",
        "https://git.exampl\N{LATIN SMALL LETTER E WITH ACUTE}.org",
        None,
        7,
    ],
)
def test_what_is_no_plain_web_address_is_none(value: object) -> None:
    assert variables.address(value) is None


@pytest.mark.parametrize(("value", "number"), [("42", 42), (42, 42), ("1" * 18, int("1" * 18))])
def test_a_number_is_read_from_text_and_from_json(value: object, number: int) -> None:
    assert variables.number(value) == number


@pytest.mark.parametrize(
    "value", ["0", "042", "-1", "+1", " 1", "1\n", "1e3", "\N{SUPERSCRIPT TWO}", "1" * 19, True, 1.0, None]
)
def test_what_is_no_positive_number_is_none(value: object) -> None:
    assert variables.number(value) is None


@pytest.mark.parametrize("value", ["a/b", "archlinux/archlinux.org", "a-b/c_d"])
def test_a_slug_is_an_owner_and_a_name(value: str) -> None:
    assert variables.slug(value) == value


@pytest.mark.parametrize("value", ["a", "a/b/c", "../b", "a/..", "a/b?c", "a/b\n", "a /b", "/b", None])
def test_what_would_lead_elsewhere_is_no_slug(value: object) -> None:
    assert variables.slug(value) is None


@pytest.mark.parametrize("value", ["a" * 40, "0" * 64])
def test_a_commit_is_a_whole_digest(value: str) -> None:
    assert variables.commit(value) == value


@pytest.mark.parametrize("value", ["a" * 39, "a" * 41, "A" * 40, "main", "", None])
def test_what_is_no_whole_digest_is_no_commit(value: object) -> None:
    assert variables.commit(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "archlinux/images",
        "https://github.com/archlinux/images.git",
        "https://github.com/archlinux/images/",
        "https://user@forge.example.org:8443/archlinux/images",
        "git@github.com:archlinux/images.git",
        "ssh://git@forge.example.org:22/archlinux/images.git",
    ],
)
def test_a_repository_is_read_from_what_git_fetches(value: str) -> None:
    assert variables.repository(value) == "archlinux/images"


@pytest.mark.parametrize(
    "value",
    [None, 3, "", "images", "https://github.com/", "https://a/b/c/d", "git@host:a/b c", "git@host:../b", "@" * 200_000],
)
def test_what_names_no_repository_is_left_out(value: object) -> None:
    assert variables.repository(value) is None


@pytest.mark.parametrize("value", ["main", "feature/a-b_c.d", "\N{LATIN SMALL LETTER E WITH ACUTE}", "a" * 255])
def test_a_branch_is_what_git_would_take(value: str) -> None:
    assert variables.branch(value) == value


@pytest.mark.parametrize("value", [None, 1, "", "a b", "a:b", "a\nb", "a\x1bb", "a" * 256, "a?b"])
def test_what_cannot_be_a_branch_is_left_out(value: object) -> None:
    assert variables.branch(value) is None
