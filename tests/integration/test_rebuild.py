"""An image is built, published by any web server, and built again from there by the command line alone."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keys
import pytest
import served
from keys import Keys

from tests.integration import small

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("runner")]

ROOT = Path(__file__).parents[2]
SCRIPT = 'mkdir -p "$BUILDROOT/srv/data" && echo hello > "$BUILDROOT/srv/data/built"'


@pytest.fixture(scope="module")
def ring() -> Iterator[Keys]:
    with keys.made("release", "rebuilder") as made:
        yield made


def toolkit(*arguments: str | Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    argv = (sys.executable, "-m", "ci_toolkit", *arguments)
    variables = small.environ() | {"PYTHONPATH": str(ROOT)} | environ
    return subprocess.run(argv, env=variables, cwd="/", capture_output=True, text=True, check=False, timeout=600)


def published(base: Path, address: str, ring: Keys) -> None:
    """Build an image of the repository in BASE, and publish both there, as ADDRESS serves it."""
    repository = base / "repository"
    small.custom(repository, SCRIPT)
    subprocess.run(("git", "-C", repository, "remote", "set-url", "origin", f"{address}repository/.git"), check=True)
    subprocess.run(("git", "-C", repository, "update-server-info"), check=True)
    completed = toolkit("build", repository / "images", "--output", base / "release")
    assert completed.returncode == 0, completed.stderr
    names = sorted(path.name for path in (base / "release").iterdir() if path.suffix in (".json", ".tar"))
    listed = subprocess.run(("sha256sum", *names), cwd=base / "release", check=True, capture_output=True).stdout
    (base / "release/SHA256SUMS").write_bytes(listed)
    (base / "release/SHA256SUMS.asc").write_bytes(ring.sign("release", listed))


def test_whoever_has_the_address_and_a_key_builds_the_same_bits(tmp_path: Path, ring: Keys) -> None:
    base = tmp_path / "base"
    base.mkdir()
    for name in ("release", "rebuilder"):
        (tmp_path / f"{name}.asc").write_bytes(ring.public(name))
    with served.directory(base) as address:
        published(base, address, ring)
        secret = {"CI_TOOLKIT_SIGNING_KEY": ring.secret("rebuilder")}
        options = ("--key", tmp_path / "release.asc", "--output", tmp_path / "rebuild")
        again = toolkit("rebuild", f"{address}release/", *options, **secret)
        assert again.returncode == 0, again.stderr
        assert again.stdout.endswith(": same\n")
        both = [(base / "release/small.tar").read_bytes(), (tmp_path / "rebuild/small.tar").read_bytes()]
        assert both[0] == both[1]
        for name in ("rebuild-verdict.json", "rebuild-verdict.json.asc"):
            (base / "release" / name).write_bytes((tmp_path / "rebuild" / name).read_bytes())
        (base / "release/verdicts.txt").write_text("rebuild-verdict.json\n")
        known = ("--key", tmp_path / "release.asc", "--quorum", "1", "--rebuilder-key", tmp_path / "rebuilder.asc")
        checked = toolkit("verify-release", f"{address}release", *known)
        assert checked.returncode == 0, checked.stdout
        assert "1 of 1 rebuilt the same bits" in checked.stdout
