import numpy as np
import pytest

from tests import phantom
from train.augment import TRANSFORMS, Geometry, degrade, move

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
