"""Every runner, and every surroundings, gives the same bits."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.arch import mirror
from tests.integration import same_bits
from tests.integration.same_bits import Row

pytestmark = pytest.mark.integration


def one_digest_each(rows: Iterable[Row]) -> set[str]:
    """Assert that each image has one digest, and return the runners that built."""
    built = [row for row in rows if not row.skipped]
    for image in {row.image for row in built}:
        digests = {row.digest: row for row in built if row.image == image}
        assert len(digests) == 1, "\n".join(f"{digest} {row}" for digest, row in digests.items())
    return {row.runner for row in built}


def test_each_image_has_one_digest_wherever_it_is_built(runner: None, tmp_path: Path) -> None:
    rows = list(same_bits.rows(tmp_path))
    assert {row.image for row in rows} == {"files", "tiny"}
    assert one_digest_each(rows) == {"container", "unprivileged", "vm", "true-root"}


def test_so_has_an_image_of_arch(runner: None, tmp_path: Path) -> None:
    try:
        rows = list(same_bits.arch_rows(tmp_path))
    except mirror.UnavailableError as error:
        pytest.skip(str(error))
    assert one_digest_each(rows) == {"container", "unprivileged"}
