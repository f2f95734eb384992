import random
from pathlib import Path

from fuzz.image import Image
from fuzz.mutate import Victim, damage, name_places
from fuzz.names import HOSTILE, MARK, replaced


def damaged(path: Path, content: bytes, seed: int) -> bytes:
    path.write_bytes(content)
    with Image(str(path)) as image:
        damage(image, Victim(structure=((8, 64),), names=(), others=(str(path),)), random.Random(seed))
    return path.read_bytes()


def test_one_seed_does_one_damage(tmp_path: Path) -> None:
    content = random.Random(1).randbytes(5000)
    found = [[damaged(tmp_path / "a", content, seed) for seed in range(60)] for _ in range(2)]
    assert found[0] == found[1]
    assert sum(one != content for one in found[0]) > 50


def test_names_are_found_in_every_form(tmp_path: Path) -> None:
    forms = ("utf-8", "utf-16-le", "utf-16-be")
    (tmp_path / "a").write_bytes(b"".join(b"\0\0" + MARK.encode(form) for form in forms))
    with Image(str(tmp_path / "a")) as image:
        found = name_places(image)
    whole = (tmp_path / "a").read_bytes()
    assert {(whole.index(MARK.encode(form)), form.encode()) for form in forms} <= set(found)


def test_a_hostile_name_has_the_length_that_there_is_room_for() -> None:
    for number in range(len(HOSTILE) + 1):
        assert [len(replaced(length, number)) for length in (1, 8, 42)] == [1, 8, 42]
