import csv
import gzip

import pytest

from tests import phantom
from train.quality import as_text, measure

FILMS = [
    ("a/0.png", "a", "train", phantom.chest(seed=0)),
    ("a/1.png", "a", "validation", phantom.chest(seed=1)),
    ("a/2.png", "a", "train", 0.1 * phantom.chest(seed=2)),
    ("b/0.png", "b", "test", phantom.chest(seed=3)),
    ("b/1.png", "b", "", 0.1 * phantom.chest(seed=4)),
]


@pytest.fixture
def data(tmp_path):
    """A folder with a manifest, films of two sources and their split."""
    rows = [
        {"file": name, "label": "normal", "source": source, "group": name, "part": part}
        for name, source, part, _ in FILMS
    ]
    with (
        open(tmp_path / "manifest.csv", "w", newline="") as manifest,
        gzip.open(tmp_path / "split.csv.gz", "wt", newline="") as split,
    ):
        for file in (manifest, split):
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    for name, _, _, pixels in FILMS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(phantom.encode(pixels))
    return tmp_path


def test_refusals_are_counted_by_part_and_source(data):
    rows = measure(data, data / "split.csv.gz")
    assert [(row.part, row.source, row.films, dict(row.refused)) for row in rows] == [
        ("chosen on", "a", 3, {"too_dark": 1}),
        ("chosen on", "all", 3, {"too_dark": 1}),
        ("test", "b", 1, {}),
        ("test", "all", 1, {}),
    ]
    assert rows[0].share == pytest.approx(1 / 3)
    text = as_text(rows)
    assert "too_dark 1" in text
    assert text.endswith("a (chosen on), all (chosen on)")
