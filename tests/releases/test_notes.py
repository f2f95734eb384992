from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from ci_toolkit.mkosi.manifest import Package
from ci_toolkit.releases import notes
from ci_toolkit.releases.advisories.fix import Fix, Severity
from ci_toolkit.releases.advisories.security import Security
from ci_toolkit.releases.contents import Contents, Image

VERIFY = "sha256sum --ignore-missing --check SHA256SUMS"


def package(name: str, version: str) -> Package:
    return Package(name=name, architecture="amd64", version=version)


OLD = (package("gone", "1"), package("linux", "6.1-1"), package("same", "3"), package("zlib", "2-1"))
NEW = (package("fresh", "1"), package("linux", "6.2-1"), package("same", "3"), package("zlib", "1-9"))


def contents(packages: tuple[Package, ...] | None, size: int = 100_000_000, name: str = "cloud") -> Contents:
    image = Image(name=name, file=f"{name}.raw", size=size, sha256="ab" * 32, packages=packages)
    return Contents(version="2026.11.28", commit="c" * 40, images=(image,))


def html(text: str) -> str:
    return str(MarkdownIt("commonmark").enable("table").render(text))


def test_the_first_release_has_its_images_and_the_line_that_verifies() -> None:
    text = notes.render(contents(NEW), None, VERIFY)
    assert "`cloud.raw`" in text
    assert f"```sh\n{VERIFY}\n```" in text
    assert "Packages" not in text


def test_what_changed_since_the_last_release_is_a_table() -> None:
    text = notes.render(contents(NEW, 103_500_000), contents(OLD), VERIFY)
    assert "+3.5 MB" in text
    assert "Packages: 1 added, 1 removed, 1 upgraded, 1 downgraded." in text
    for row in (
        "| `linux` | `6.1-1` | `6.2-1` |",
        "| `zlib` | `2-1` | `1-9` (downgraded) |",
        "| `fresh` |  | `1` |",
        "| `gone` | `1` |  |",
    ):
        assert row in text
    assert "same" not in text.partition("Verify")[0].partition("All of them")[2]
    assert html(text).count("<tr>") == 2 + 5


def test_the_same_packages_are_told_in_a_sentence() -> None:
    assert "The packages are those of the last release." in notes.render(contents(OLD), contents(OLD), VERIFY)


def test_of_several_images_each_is_named_and_the_one_that_is_gone() -> None:
    now = replace(contents(NEW), images=(*contents(NEW).images, *contents(OLD, name="iso").images))
    before = replace(contents(OLD), images=(*contents(OLD).images, *contents(OLD, name="box").images))
    text = notes.render(now, before, VERIFY)
    assert "Packages in `cloud`:" in text
    assert "| `iso.raw` | 100.0 MB | new |" in text
    assert "`box` is no longer released." in text


def test_security_fixes_stand_after_what_changed() -> None:
    fix = Fix(
        identifier="CVE-2026-2222",
        package="linux",
        before="6.1-1",
        after="6.2-1",
        severity=Severity.HIGH,
        distribution="arch",
    )
    before, now = contents(OLD), contents(NEW)
    text = notes.render(now, before, VERIFY, Security(fixes=(fix,)))
    assert text.index("All of them") < text.index("\n\n### Security fixes\n\n") < text.index("Verify a download")
    assert "| high | `linux` | `6.1-1` | `6.2-1` |" in text
    assert "Security" not in notes.render(now, before, VERIFY)


def test_names_out_of_an_image_are_harmless() -> None:
    evil = package("`</summary><script>|@team #1 ![x](http://evil.invalid)", "::set-env::\n# Big")
    text = notes.render(contents((evil,)), contents(()), VERIFY)
    shown = html(text)
    assert "<script>" not in shown
    assert "<img" not in shown
    assert "<h1>" not in shown


@pytest.mark.slow
def test_ten_thousand_packages_fit_into_what_github_takes() -> None:
    many = tuple(package(f"{'p' * 200}{number}", "1" * 200) for number in range(10_000))
    fixes = tuple(
        Fix(
            identifier=f"CVE-2026-{number}",
            package="p" * 200,
            before="1" * 200,
            after="2" * 200,
            severity=Severity.HIGH,
            distribution="debian",
        )
        for number in range(1000, 3000)
    )
    text = notes.render(contents(many), contents(()), VERIFY, Security(fixes=fixes))
    assert len(text) <= 100_000
    assert "and 1,950 more." in text
    assert "10,000 added" in text
    assert "which release.json has" in text
