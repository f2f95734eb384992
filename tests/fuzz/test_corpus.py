from ci_toolkit.images.read import FORMATS
from fuzz.corpus import SEEDS


def test_there_is_an_image_of_every_format_to_damage() -> None:
    assert {known.name for known in FORMATS} <= {seed.format for seed in SEEDS}
