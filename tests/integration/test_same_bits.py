"""Every runner, and every surroundings, gives the same bits."""

from pathlib import Path

import pytest

from tests.integration import same_bits

pytestmark = pytest.mark.integration


def test_each_image_has_one_digest_wherever_it_is_built(runner: None, tmp_path: Path) -> None:
    rows = list(same_bits.rows(tmp_path))
    for row in rows:
        print(row.image, row.runner, row.surroundings, row.digest or row.skipped)
    assert {row.runner for row in rows} == {"container", "unprivileged", "vm"}
    for image in ("files", "tiny"):
        digests = {row.digest: row for row in rows if row.image == image and not row.skipped}
        assert len(digests) == 1, "\n".join(f"{digest} {row}" for digest, row in digests.items())
