"""Killed in every place, and gone on with: what people get is what an undisturbed release gives them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import fake_sigstore
import pytest
from fake_sigstore import IDENTITY, ISSUER
from shelves import SHELVES, Shelf
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.verify import Verifier, policy

pytestmark = pytest.mark.slow

# A request is two places, and there are many: of those of a server only some are tried.
STRIDES = {"directory": 1, "github": 4, "gitlab": 4, "registry": 11}
ROOT = Path(__file__).parents[2]


def killed_everywhere(kind: str, shelf: Shelf, place: Path, **more: object) -> list[str]:
    """Return the versions of the releases, of which each was killed in another place."""
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests/fakes")))
    completed = subprocess.run(
        (sys.executable, ROOT / "tests/fakes/releaser.py", place),
        input=json.dumps({"target": shelf.written, "environ": shelf.environ, "stride": STRIDES[kind], **more}),
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    versions: list[str] = json.loads(completed.stdout)
    return versions


@pytest.mark.parametrize("kind", SHELVES)
def test_a_release_that_was_killed_and_gone_on_with_is_as_one_undisturbed(kind: str, tmp_path: Path) -> None:
    for shelf in SHELVES[kind](tmp_path):
        if shelf.server is not None:
            shelf.server.checks = False  # which lists of many releases would make slow
        versions = killed_everywhere(kind, shelf, tmp_path)
        assert len(versions) >= 5
        published = shelf.published()
        for version in versions:
            reference = tmp_path / "reference" / version
            assert version in published
            if shelf.sends == "PATCH":
                argv = ("skopeo", "inspect", "--tls-verify=false", "--format={{.Digest}}", str(published[version]))
                said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
                index = json.loads((reference / "cloud.oci/index.json").read_text(encoding="utf-8"))
                assert said == index["manifests"][0]["digest"]
                continue
            files = {
                path.relative_to(reference).as_posix(): path.read_bytes()
                for path in reference.rglob("*")
                if path.is_file() and "cloud.oci" not in path.parts
            }
            assert published[version] == files
        assert not list(tmp_path.glob("mirror/.*"))


def test_a_release_that_was_killed_while_it_was_signed_has_the_signature_of_its_own_list(tmp_path: Path) -> None:
    with fake_sigstore.opened() as fake:
        trust = tmp_path / "trust.json"
        trust.write_text(fake.trust(), encoding="utf-8")
        verifier = Verifier(trusted_root=ClientTrustConfig.from_json(fake.trust()).trusted_root)
        (shelf,) = SHELVES["directory"](tmp_path)
        environ = {**shelf.environ, **fake.environ}
        versions = killed_everywhere("directory", shelf, tmp_path, trust=str(trust), environ=environ)
    published = shelf.published()
    assert len(versions) >= 15
    assert len(fake.certified) > 2 * len(versions)  # each reference was signed, too, and some were signed twice
    for version in versions:
        found = published[version]
        assert isinstance(found, dict)
        bundle = Bundle.from_json(found["SHA256SUMS.sigstore.json"])
        verifier.verify_artifact(found["SHA256SUMS"], bundle, policy.Identity(identity=IDENTITY, issuer=ISSUER))
