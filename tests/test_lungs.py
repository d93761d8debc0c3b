from dataclasses import astuple

import numpy as np
import pytest

from lungcare.film import Box
from lungcare.lungs import SIDE, box_of, find_lungs, window_around


def drawn(*places: tuple[slice, slice]) -> np.ndarray:
    lungs = np.zeros((SIDE, SIDE), np.float32)
    for place in places:
        lungs[place] = 0.9
    return lungs


def test_the_box_holds_both_lungs_and_no_speck():
    lungs = drawn((slice(32, 96), slice(16, 48)), (slice(40, 100), slice(80, 112)), (slice(2, 5), slice(2, 5)))
    box = box_of(lungs)
    assert astuple(box) == pytest.approx((16 / SIDE, 32 / SIDE, 112 / SIDE, 100 / SIDE), abs=0.1 / SIDE)


def test_films_of_any_side_are_asked_about_in_grey_levels_and_at_its_own_side():
    films = np.full((2, 256, 256), 200, np.uint8)
    asked = []
    found = find_lungs(lambda squares: asked.append(squares) or squares / 255, films)
    assert (asked[0].shape, asked[0].dtype) == ((2, SIDE, SIDE, 1), np.float32)
    assert np.allclose(asked[0], 200, atol=1e-3)
    assert found.shape == (2, SIDE, SIDE)


def test_no_lung_no_box():
    assert box_of(drawn()) is None
    assert box_of(drawn((slice(2, 5), slice(2, 5)))) is None


def test_a_box_too_small_for_a_chest_is_none():
    assert box_of(drawn((slice(40, 60), slice(40, 60)))) is None


def test_the_edges_of_the_box_hardly_move_where_the_probabilities_hardly_do():
    """A row of pixels just above 0.5, or just below: its edge lies in the middle of them either way."""
    lungs = drawn((slice(32, 96), slice(16, 112)))
    tops = []
    for probability in (0.4999, 0.5001):
        lungs[31] = np.where(lungs[32] > 0, probability, 0)
        tops.append(box_of(lungs).top)
    assert tops == pytest.approx([31.5 / SIDE] * 2, abs=1e-4)


def test_the_window_has_a_margin_around_the_lungs():
    window = window_around(Box(0.2, 0.3, 0.8, 0.8))
    assert astuple(window) == pytest.approx((0.164, 0.27, 0.836, 0.83))


def test_the_window_is_never_narrow_where_one_lung_alone_was_found():
    window = window_around(Box(0.1, 0.1, 0.3, 0.9))
    assert (window.right - window.left) == pytest.approx(0.6 * (window.bottom - window.top))
    assert (window.left + window.right) / 2 == pytest.approx(0.2)


def test_without_lungs_the_window_is_the_whole_film():
    assert window_around(None) == Box(0, 0, 1, 1)
