import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lungcare.conditions import CODES
from lungcare.film import decode
from train.appearance import SIDE, Appearance, Components, frame_of, learn
from train.examples import Pooled, read_pool
from train.examples_page import LIKENESS
from train.likeness import PIXELS, aligned_in_pool, compared, likeness
from train.manifest import DataError
from train.outlines import landmarks
from train.synthesize import LONGEST, PER_CONDITION, aligned_films, draw

ROOT = Path(__file__).resolve().parents[2]
POOL = ROOT / "examples"


def lungs(sides=(-1, 1)) -> np.ndarray:
    """A mask of two ellipses."""
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    return np.any([np.hypot((x - 0.4 * side) / 0.3, y / 0.7) < 1 for side in sides], axis=0).astype(np.uint8)


@pytest.fixture(scope="module")
def model() -> Appearance:
    """What was learned from a few smooth films."""
    rng = np.random.default_rng(0)
    points = landmarks(lungs())
    films = (127 + 60 * rng.random((6, 1, 1)) * np.linspace(-1, 1, SIDE)[:, np.newaxis]).astype(np.uint8)
    films = np.broadcast_to(films, (6, SIDE, SIDE)) + rng.integers(0, 9, (6, SIDE, SIDE)).astype(np.uint8)
    outlines = points + rng.normal(0, 0.003, (6, *points.shape)).astype(np.float32)
    return learn(films, outlines, points, components=4)


def test_landmarks_lie_on_the_edges_of_both_lungs():
    points = landmarks(lungs())
    left, top, side = frame_of(points)
    assert points.shape == (96, 2)
    assert points.min(axis=0) == pytest.approx((0.15, 0.15), abs=0.02)
    assert points.max(axis=0) == pytest.approx((0.85, 0.85), abs=0.02)
    assert (left + side / 2, top + side / 2) == pytest.approx((0.5, 0.5), abs=0.01)


def test_one_lung_gives_no_landmarks():
    assert landmarks(lungs(sides=(1,))) is None


def test_components_give_back_the_mean_and_no_more_than_the_films_hold():
    rows = np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)
    found = Components.of(rows, 10)
    assert len(found.axes) == 4
    assert np.allclose(found.draw(np.random.default_rng(0), breadth=0), rows.mean(axis=0))
    assert np.allclose((found.axes**2).sum(), ((rows - rows.mean(axis=0)) ** 2).sum() / 5, rtol=1e-4)


def test_a_seed_gives_the_same_film_and_each_condition_another(model, tmp_path):
    model.save(tmp_path / "kept.npz")
    kept = Appearance.load(tmp_path / "kept.npz")
    films = {code: draw(model, code, 3) for code in CODES}
    assert all(np.array_equal(film, draw(kept, code, 3)) for code, film in films.items())
    assert all(max(film.shape) == LONGEST and film.dtype == np.uint8 for film in films.values())
    assert len({film.tobytes() for film in films.values()}) == len(CODES)
    assert not np.array_equal(films["normal"], draw(model, "normal", 4))


def test_a_copy_is_suspect():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(50, 200))
    real /= np.linalg.norm(real, axis=1, keepdims=True)
    groups = np.arange(50).astype(str)
    fresh = rng.normal(size=(3, 200))
    fresh /= np.linalg.norm(fresh, axis=1, keepdims=True)
    told = compared(np.concatenate([fresh, real[7:8]]), real, groups)
    assert told["suspect"] >= 1
    assert told["drawn_largest"] == 1
    # Films of one patient are no measure of how near those of different patients are.
    twins = np.concatenate([real, real[:1]])
    assert compared(fresh, twins, np.append(groups, "0"))["real_99"] < 0.99


def test_a_film_of_the_pool_that_its_seed_does_not_draw_is_found(model, tmp_path):
    Image.fromarray(draw(model, "normal", 3)).save(tmp_path / "film.png")
    assert aligned_in_pool(model, tmp_path, Pooled("film.png", "normal", 3)).shape == (PIXELS**2,)
    with pytest.raises(DataError, match="is not what its seed draws"):
        aligned_in_pool(model, tmp_path, Pooled("film.png", "normal", 4))


def test_the_pool_is_whole():
    films = read_pool(POOL)
    if not films:
        pytest.skip(f"no drawn films in {POOL}")
    assert Counter(film.condition for film in films) == dict.fromkeys(CODES, PER_CONDITION)
    for film in films:
        pixels = decode((POOL / film.file).read_bytes()).pixels
        assert max(pixels.shape) == LONGEST
    assert {str(path.relative_to(POOL)) for path in POOL.glob("*/*")} == {film.file for film in films}


def test_no_film_of_the_pool_is_nearer_to_a_training_film_than_those_of_other_patients():
    recorded = ROOT / "docs" / "results" / LIKENESS
    run, prepared = ROOT / "runs" / "synthesis", ROOT / "runs" / "data"
    if not recorded.is_file() or not aligned_films(run, CODES[-1]).is_file() or not prepared.is_dir():
        pytest.skip(f"no training films in {run} to compare with: python -m train synthesize")
    told = likeness(prepared, run, POOL, "lungcare", 0, None)["classes"]
    before = json.loads(recorded.read_text())["classes"]
    for code in CODES:
        assert told[code]["pixels"]["suspect"] == 0
        assert told[code]["pixels"] == pytest.approx(before[code]["pixels"], abs=1e-3)
