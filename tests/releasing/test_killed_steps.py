"""Killed around each of its steps, with four targets, a key and something to remove, and gone on with."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest
from keys import Keys, made
from shelves import SHELVES, Shelf

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FIRST = date(2026, 1, 5)
# What a step does and to what; all four targets are uploaded to before the first of them is published.
STEPS = (
    *("build", "convert", "boot", "collect", "sign"),
    *(f"{kind} {shelf}" for kind in ("upload", "publish", "prune") for shelf in SHELVES),
)
SIGNATURE = "SHA256SUMS.asc"


@dataclass(kw_only=True)
class Stand:
    """All targets, what was released to them so far, and the key."""

    shelves: dict[str, Shelf]
    keys: Keys
    place: Path
    days: Iterator[date] = field(
        default_factory=lambda: (FIRST + timedelta(days=14 * number) for number in itertools.count())
    )
    versions: list[str] = field(default_factory=list)

    def release(self, number: int, *, written: bool) -> str:
        """Make a release that is killed around the step of that NUMBER; return the name of the step."""
        call = {
            "targets": [shelf.written for shelf in self.shelves.values()],
            "environ": {name: value for shelf in self.shelves.values() for name, value in shelf.environ.items()},
            "day": next(self.days).isoformat(),
            "key": self.keys.secret("images"),
            "number": number,
            "written": written,
        }
        paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests/fakes")))
        completed = subprocess.run(
            (sys.executable, ROOT / "tests/fakes/stepper.py", self.place),
            input=json.dumps(call),
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=False,
        )
        assert completed.returncode == 0, completed.stderr
        told = json.loads(completed.stdout)
        assert int(told["steps"]) == len(STEPS)
        self.versions.append(told["version"])
        return str(told["step"])


@contextmanager
def standing(place: Path) -> Iterator[Stand]:
    with ExitStack() as stack:
        keys = stack.enter_context(made("images"))
        shelves = {name: stack.enter_context(contextmanager(make)(place)) for name, make in SHELVES.items()}
        yield Stand(shelves=shelves, keys=keys, place=place)


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with standing(tmp_path_factory.mktemp("stand")) as found:
        yield found


@pytest.mark.parametrize("written", [False, True], ids=["before it is written down", "after"])
@pytest.mark.parametrize("number", range(1, len(STEPS) + 1), ids=STEPS)
def test_the_final_state_is_that_of_an_undisturbed_release(stand: Stand, number: int, *, written: bool) -> None:
    step = stand.release(number, written=written)
    assert step.split()[0] == STEPS[number - 1].split()[0]
    for name, shelf in stand.shelves.items():
        published = shelf.published()
        # Two are kept, the new one and the one before.
        assert sorted(set(published) - {"latest"}) == stand.versions[-2:], name
        version = stand.versions[-1]
        reference = stand.place / "reference" / version
        if name == "registry":
            index = json.loads((reference / "cloud.oci/index.json").read_text(encoding="utf-8"))
            argv = ("skopeo", "inspect", "--tls-verify=false", "--format={{.Digest}}", str(published[version]))
            said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
            assert said == index["manifests"][0]["digest"]
            continue
        files = published[version]
        assert isinstance(files, dict)
        signature = files.pop(SIGNATURE)
        assert files == {
            path.relative_to(reference).as_posix(): path.read_bytes()
            for path in reference.rglob("*")
            if path.is_file() and "cloud.oci" not in path.parts
        }
        for file, content in ((SIGNATURE, signature), ("SHA256SUMS", files["SHA256SUMS"])):
            (stand.place / file).write_bytes(content)
        stand.keys.gpg("--verify", stand.place / SIGNATURE, stand.place / "SHA256SUMS")  # raises unless it is good
    assert not list((stand.place / "mirror").glob(".*"))
