"""The signature of a release, verified by gpg."""

from pathlib import Path

import pytest
from keys import made

from ci_toolkit.publish import signing
from ci_toolkit.records.openpgp import Key

pytestmark = pytest.mark.slow


def test_gpg_verifies_the_list_of_checksums_that_was_signed(tmp_path: Path) -> None:
    listed = tmp_path / "SHA256SUMS"
    listed.write_text("abc  image.raw\n", encoding="utf-8")
    said: list[str] = []
    with made("images") as ring:
        file = signing.signed(tmp_path, Key(armoured=ring.secret("images")), said.append)
        ring.gpg("--verify", tmp_path / "SHA256SUMS.asc", listed)
        assert said == [f"Signed by {ring.fingerprint('images')}"]
        body = ring.secret("images").splitlines()[3]
    assert file.name == "SHA256SUMS.asc"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SHA256SUMS", "SHA256SUMS.asc"]
    assert not any(body in path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
