import numpy as np
import pytest

from lungcare.lungs import Box
from tests import phantom
from train.augment import TRANSFORMS, Chest, Geometry, borrow_grain, borrow_tone, degrade, move, transplant

SIDE = 160
FILM = (phantom.chest(height=SIDE, width=SIDE) * 255).astype(np.uint8)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_each_transform_keeps_shape_changes_pixels_and_follows_its_seed(name):
    before = FILM.copy()
    first, again, other = (TRANSFORMS[name](FILM, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == FILM.shape
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert (first != FILM).any()
    assert (first != other).any()
    np.testing.assert_array_equal(FILM, before)


def test_move_without_freedom_only_scales():
    moved = move(FILM, SIDE, Geometry(), np.random.default_rng(0))
    np.testing.assert_array_equal(moved, FILM)
    smaller = move(FILM, SIDE // 2, Geometry(), np.random.default_rng(0))
    assert smaller.shape == (SIDE // 2, SIDE // 2)
    assert abs(smaller.mean() - FILM.mean()) < 3


def test_move_flips():
    moved = move(FILM, SIDE, Geometry(flip=1), np.random.default_rng(0))
    np.testing.assert_array_equal(moved, FILM[:, ::-1])


def test_degrade_with_no_probability_changes_nothing():
    assert degrade(FILM, {}, np.random.default_rng(0)) is FILM


def test_move_to_the_lungs_fills_the_square_with_them():
    film = np.zeros((SIDE, SIDE), np.uint8)
    film[80:120, 40:80] = 200
    whole = move(film, SIDE, Geometry(lungs=1), np.random.default_rng(0))
    lungs = move(film, SIDE, Geometry(lungs=1), np.random.default_rng(0), Box(0.25, 0.5, 0.5, 0.75))
    np.testing.assert_array_equal(whole, film)
    assert (lungs > 100).mean() > 0.45


def test_borrowed_tone_has_the_levels_of_the_other_film():
    dark = (FILM * 0.4).astype(np.uint8)
    np.testing.assert_array_equal(borrow_tone(FILM, dark, 0), FILM)
    assert abs(borrow_tone(FILM, dark, 1).mean() - dark.mean()) < 2


def test_borrowed_grain_keeps_what_the_film_shows():
    rng = np.random.default_rng(0)
    grainy = np.clip(FILM + rng.normal(0, 25, FILM.shape), 0, 255).astype(np.uint8)
    borrowed = borrow_grain(FILM, grainy, 1)
    assert np.corrcoef(borrowed.ravel(), FILM.ravel())[0, 1] > 0.9
    assert np.diff(borrowed.astype(float)).std() > 1.5 * np.diff(FILM.astype(float)).std()
    assert np.abs(borrow_grain(FILM, FILM, 1).astype(int) - FILM).max() <= 1


def chest(film: int, lungs: int, left: float) -> Chest:
    """An even film with even lungs in a box of half its height, and from `left` to half a film further wide."""
    mask = np.zeros((128, 128), np.uint8)
    mask[32:96, round(left * 128) : round((left + 0.5) * 128)] = 1
    pixels = np.full((SIDE, SIDE), film, np.uint8)
    pixels[SIDE // 4 : 3 * SIDE // 4, round(left * SIDE) : round((left + 0.5) * SIDE)] = lungs
    return Chest(pixels, mask, Box(left, 0.25, left + 0.5, 0.75))


def test_transplanted_lungs_lie_where_those_of_the_body_were():
    film = transplant(chest(20, 90, 0.0), chest(200, 120, 0.4), SIDE, Geometry(), np.random.default_rng(0))
    assert film.shape == (SIDE, SIDE)
    assert film.dtype == np.uint8
    assert abs(int(film[SIDE // 2, 3]) - 200) < 3
    assert 85 <= film[SIDE // 2, round(0.65 * SIDE)] <= 120


def test_transplanted_lungs_may_get_no_body():
    film = transplant(chest(20, 90, 0.25), None, SIDE, Geometry(), np.random.default_rng(1))
    assert abs(int(film[SIDE // 2, SIDE // 2]) - 90) < 3
    assert len(set(film[0].tolist())) == 1
