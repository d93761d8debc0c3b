import numpy as np

from lungcare.lungs import SIDE, box_of, find_lungs


def drawn(*places: tuple[slice, slice]) -> np.ndarray:
    lungs = np.zeros((SIDE, SIDE), np.float32)
    for place in places:
        lungs[place] = 0.9
    return lungs


def test_the_box_holds_both_lungs_and_no_speck():
    lungs = drawn((slice(32, 96), slice(16, 48)), (slice(40, 100), slice(80, 112)), (slice(2, 5), slice(2, 5)))
    box = box_of(lungs)
    assert (box.left, box.top, box.right, box.bottom) == (16 / SIDE, 32 / SIDE, 112 / SIDE, 100 / SIDE)


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
