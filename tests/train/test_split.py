import gzip
from collections import Counter, defaultdict

import pytest

from train import split as splits
from train.manifest import DataError, Film, read_films


def some_films(count: int = 400, **changes) -> list[Film]:
    labels = ("normal", "pneumonia")
    return [Film(f"{i}.png", labels[i % 2], source=f"s{i % 3}", **changes) for i in range(count)]


def pairs(films: list[Film]) -> list[str]:
    return [f"g{i // 2}" for i in range(len(films))]


def test_eighty_ten_ten_within_each_class_and_source():
    films = some_films()
    split = splits.draw(films, [f"g{i}" for i in range(400)], seed=0)
    by_stratum = defaultdict(Counter)
    for placed in split.films:
        by_stratum[placed.film.label, placed.film.source][placed.part] += 1
    for count in by_stratum.values():
        total = count.total()
        assert count["test"] == count["validation"] == round(total / 10)


def test_small_sources_leave_no_part_empty():
    films = [Film(f"{i}.png", ("normal", "pneumonia")[i % 2], source=f"s{i // 8}") for i in range(80)]
    split = splits.draw(films, [f"g{i}" for i in range(80)], seed=0)
    count = Counter((p.part, p.film.label) for p in split.films)
    for label in ("normal", "pneumonia"):
        assert [count[part, label] for part in ("train", "validation", "test")] == [32, 4, 4]


def test_no_group_is_in_two_parts():
    films = some_films()
    split = splits.draw(films, pairs(films), seed=1)
    assert split.leaks() == []
    assert {p.part for p in split.films} == {"train", "validation", "test"}


def test_the_seed_decides():
    films = some_films()
    drawn = [splits.draw(films, pairs(films), seed).checksum for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_official_films_and_what_is_grouped_with_them():
    films = [*some_films(40), Film("o.png", "normal", "kermany", given="official"), Film("b.png", "normal", "kermany")]
    films.append(Film("e.png", "normal", "jsrt", role="external"))
    split = splits.draw(films, [f"g{i}" for i in range(40)] + ["k", "k", "j"], seed=0)
    assert [p.part for p in split.films[-3:]] == ["official", "", "external"]


def test_a_given_split_is_kept_but_for_what_would_leak():
    films = some_films(200)
    for i, film in enumerate(films):
        film.given = "test" if i < 40 else "validation" if i < 100 else "train"
    groups = [f"g{i}" for i in range(200)]
    groups[150] = "g0"
    split = splits.draw(films, groups, seed=0)
    assert [p.part for p in split.films] == [film.given if i != 150 else "" for i, film in enumerate(films)]
    assert split.leaks() == []
    assert splits.draw(films, groups, seed=0, resplit=True).leaks() == []


def test_a_tiny_given_validation_part_is_drawn_anew():
    films = some_films(400)
    for i, film in enumerate(films):
        film.given = "test" if i < 40 else "validation" if i < 50 else "train"
    split = splits.draw(films, [f"g{i}" for i in range(400)], seed=0)
    count = Counter(p.part for p in split.films)
    assert count["test"] == 40
    assert count["validation"] == pytest.approx(36, abs=3)


def test_balanced():
    films = some_films(400)
    split = splits.balanced(splits.draw(films, pairs(films), seed=0), per_class=50, seed=0)
    count = Counter((p.part, p.film.label) for p in split.films if p.part)
    for label in ("normal", "pneumonia"):
        assert [count[part, label] for part in ("train", "validation", "test")] == [40, 5, 5]


def test_written_and_read(tmp_path):
    films = some_films(60)
    split = splits.draw(films, pairs(films), seed=0)
    for name in ("split.csv", "split.csv.gz"):
        splits.write(split, tmp_path / name)
        assert splits.read(tmp_path / name, films) == split
    with pytest.raises(DataError, match="which the data lack"):
        splits.read(tmp_path / "split.csv", films[1:])


def test_the_recorded_split_of_the_real_films(films):
    split = splits.read(splits.RECORDED, read_films(films))
    count = Counter(p.part for p in split.films)
    assert count["official"] == 618
    assert split.leaks() == []
    for placed in split.films:
        if placed.film.role != "internal":
            assert placed.part == placed.film.role
    assert len(gzip.decompress(splits.RECORDED.read_bytes()).splitlines()) == 1 + len(split.films)
