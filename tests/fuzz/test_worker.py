"""How cases end, each in a process of its own, since a fork of a process with threads is none to rely on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SCRIPT = """
import json, os, sys
from pathlib import Path
from fuzz import worker
from fuzz.trial import Outcome

def well(a, b):
    return Outcome(refused=True, ways=frozenset({"way"}))

def crashes(a, b):
    raise ValueError("x")

def dies(a, b):
    os.kill(os.getpid(), 11)

def hangs(a, b):
    while True:
        pass

def fills(a, b):
    return Outcome(refused=False, ways=frozenset({str(len(bytearray(os.urandom(1)) * (600 << 20)))}))

def runs_away(a, b):
    return bytearray(4 << 30)

result = worker.run(globals()[sys.argv[1]], Path("a"), Path("b"), seconds=2)
print(json.dumps([result.fault, result.outcome and sorted(result.outcome.ways), result.peak_bytes]))
"""


@pytest.mark.parametrize(
    ("case", "fault"),
    [
        ("well", ""),
        ("crashes", "ValueError: x"),
        ("dies", "ended by -11"),
        ("hangs", "hang"),
        ("fills", "memory"),
        ("runs_away", "MemoryError: "),
    ],
)
def test_a_case_is_told_by_how_it_ends(case: str, fault: str) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, case], cwd=ROOT, capture_output=True, check=True)
    told, ways, peak = json.loads(done.stdout)
    assert told == fault
    assert ways == (["way"] if case == "well" else ways)
    assert (peak > 500 << 20) == (case == "fills")
