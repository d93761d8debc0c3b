import numpy as np
from PIL import Image

from tests import phantom
from train.duplicates import exact_copies, joined_groups, near_pairs


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    return (np.asarray(Image.fromarray(pixels).resize((64, 64), Image.Resampling.BOX)) * 255).astype(np.uint8)


def test_near_pairs_see_through_gamma_but_not_through_patients():
    films = [phantom.chest("normal", n) for n in range(5)]
    copy = films[2] ** 0.7
    # Phantoms differ less than patients do: the threshold is set between a copy and the nearest other phantom.
    pairs = near_pairs(np.stack([thumbnail(f) for f in [*films, copy]]), threshold=0.998)
    assert pairs.tolist() == [[2, 5]]


def test_near_pairs_across_blocks(monkeypatch):
    monkeypatch.setattr("train.duplicates._BLOCK", 2)
    random = np.random.default_rng(0).integers(0, 256, (7, 64, 64), np.uint8)
    random[6] = random[1]
    assert near_pairs(random).tolist() == [[1, 6]]


def test_exact_copies():
    assert exact_copies(["a", "b", "a", "c"]) == [[0, 2]]


def test_groups_join_over_pairs():
    groups = joined_groups(["p1", "", "p1", "p2", ""], np.array([[1, 2], [3, 4]]))
    assert groups[0] == groups[1] == groups[2]
    assert groups[3] == groups[4] != groups[0]
