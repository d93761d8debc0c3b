"""Films whose lungs are two even rectangles, with fine lines on them that stand for vessels."""

import numpy as np
import pytest

from lungcare.conditions import CODES
from train.collapse import collapsed, folded
from train.feed import Feed
from train.halves import LEFT, RIGHT
from train.manifest import Film
from train.pack import PackedLungs
from train.recipe import read_recipe
from train.split import Placed

LUNGS = np.zeros((128, 128), np.uint8)
LUNGS[30:100, 16:56] = LUNGS[30:100, 72:112] = 1


@pytest.fixture
def film():
    pixels = np.full((256, 256), 180, np.uint8)
    for columns in (slice(32, 112), slice(144, 224)):
        pixels[60:200, columns] = 90
        pixels[60:200:5, columns] = 120
    return pixels


def many(draw, film, half):
    return [drawn for seed in range(24) if (drawn := draw(film, LUNGS, half, np.random.default_rng(seed))) is not None]


@pytest.mark.parametrize("half", [LEFT, RIGHT])
def test_a_pneumothorax_lies_in_one_lung_at_its_wall(film, half):
    found = many(collapsed, film, half)
    assert len(found) > 20
    near, far = (slice(None, 128), slice(128, None)) if half == LEFT else (slice(128, None), slice(None, 128))
    for drawn in found:
        np.testing.assert_array_equal(drawn.film[:, far], film[:, far])
        assert not drawn.outline[:, far].any()
        air = drawn.outline > 127
        assert 0.0008 <= air.mean() < 0.15
        lung = np.kron(LUNGS, np.ones((2, 2))) > 0
        assert air[lung].sum() > 0.85 * air.sum()
        outermost = np.arange(32, 72) if half == LEFT else np.arange(184, 224)
        assert air[:80, near].any() or air[:, outermost].any()


def test_the_air_is_darker_and_its_vessels_fade(film):
    is_vessel = film == 120

    def contrast(pixels, where):
        return pixels[where & is_vessel].mean() - pixels[where & ~is_vessel].mean()

    darker = []
    for drawn in many(collapsed, film, LEFT):
        air = (drawn.outline > 250) & (film < 180)
        if air.sum() < 300:
            continue
        darker.append(film[air].mean() - drawn.film[air].mean())
        assert contrast(drawn.film, air) < 0.7 * contrast(film, air)
    assert len(darker) > 5
    assert np.mean(darker) > 2


def test_a_fold_keeps_the_vessels_and_is_no_pneumothorax(film):
    for drawn in many(folded, film, RIGHT):
        assert drawn.outline is None
        change = drawn.film.astype(int) - film
        assert change.max() > 0
        assert change.min() >= 0
        assert not change[:, :128].any()


def test_films_whose_lungs_do_not_part_are_left_alone(film):
    for lungs in (np.zeros((128, 128), np.uint8), np.ones((128, 128), np.uint8)):
        for draw in (collapsed, folded):
            assert draw(film, lungs, LEFT, np.random.default_rng(0)) is None


def test_batches_name_what_was_drawn_and_where(film):
    films = [Placed(Film(name, label, name), name, "train") for name, label in (("a", "normal"), ("b", "tuberculosis"))]
    recipe = read_recipe(
        "reader", halves=0.0, collapse=0.5, folds=0.2, places=1.0, transplant=0.0, borrow=0.0,
        augmentation={}, geometry={}, sizes=[[0, 256]], batch=96,
    )  # fmt: skip
    lungs = PackedLungs.of([LUNGS.astype(float)] * 2)
    feed = Feed(recipe, films, np.stack([film, film]), np.arange(2), lungs)
    pictures, targets = feed[0]
    told = targets["probabilities"][:, : len(CODES)].argmax(axis=1)
    normal, drawn = (told == CODES.index(code) for code in ("normal", "pneumothorax"))
    number = feed.order[:96]
    assert drawn[number == 0].mean() == pytest.approx(0.5, abs=0.2)
    assert not drawn[number == 1].any()
    np.testing.assert_array_equal(drawn, targets["places"].any(axis=(1, 2)))
    assert (targets["places"] >= 0).all()
    untouched = Feed(recipe.model_copy(update={"collapse": 0.0, "folds": 0.0}), films, feed.pack, np.arange(2), lungs)
    as_they_are = untouched[0][0]
    changed = (pictures != as_they_are).any(axis=(1, 2, 3))
    assert changed[drawn].all()
    assert 0 < changed[normal & (number == 0)].mean() < 1
    assert not changed[number == 1].any()
