from doors import marked, places


def test_every_part_of_every_file_is_there() -> None:
    for name, parts in places.PLACES.items():
        assert sorted(marked.names((places.ROOT / name).read_text(encoding="utf-8"))) == sorted(parts), name


def test_what_is_written_twice_is_the_same() -> None:
    assert places.written() == places.written()
