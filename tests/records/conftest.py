"""Keys that are made once: gpg takes a second for each."""

from collections.abc import Iterator

import keys
import pytest
from keys import Keys


@pytest.fixture(scope="session")
def ring() -> Iterator[Keys]:
    with keys.made("release", "alice", "bob", "stranger") as made:
        yield made
