"""Films whose lungs are two even rectangles: the left one spans 20 to 56 px of 128, the right one 72 to 108."""

import cv2
import numpy as np
import pytest

from lungcare.conditions import CODES
from train.augment import Geometry
from train.feed import UNAFFECTED, UNKNOWN, Feed
from train.halves import LEFT, NEITHER, RIGHT, affected_half, graft, graftable, grafts, middle_of, mirrored, outlines_of
from train.manifest import Film
from train.pack import PackedLungs
from train.recipe import read_recipe
from train.split import Placed

LUNGS = np.zeros((128, 128), np.uint8)
LUNGS[30:100, 20:56] = LUNGS[30:100, 72:108] = 1
AFFECTED = 40


def film(level: int, left: int = 90, right: int = 90) -> np.ndarray:
    """An even film of that level, with lungs of these."""
    pixels = np.full((128, 128), level, np.uint8)
    pixels[30:100, 20:56], pixels[30:100, 72:108] = left, right
    return pixels


@pytest.fixture
def one_sided(tmp_path):
    """Four films of siim, affected in the left, the right, both and no lung that is known, and normal ones besides."""
    halves = {"left": (1, 0), "right": (0, 1), "both": (1, 1)}
    for name, (left, right) in halves.items():
        mask = np.zeros((256, 256), np.uint8)
        mask[80:120, 50:90], mask[80:120, 160:200] = 255 * left, 255 * right
        cv2.imwrite(str(tmp_path / f"{name}.png"), mask)
    films = [Film(name, "pneumothorax", "siim", mask=f"{name}.png") for name in halves]
    films += [Film("no mask", "pneumothorax", "siim"), Film("archive", "normal", "nih"), Film("host", "normal", "a")]
    return [Placed(f, f.file, "train") for f in films], tmp_path


def test_the_lungs_part_where_fewest_rows_are_lung():
    assert middle_of(LUNGS) == pytest.approx(0.5, abs=0.01)
    assert middle_of(np.roll(LUNGS, 10, axis=1)) == pytest.approx(0.578, abs=0.01)
    assert middle_of(np.zeros((128, 128), np.uint8)) is None
    joined = LUNGS.copy()
    joined[30:100, 56:72] = 1
    assert middle_of(joined) is None


@pytest.mark.parametrize(("half", "level"), [(LEFT, AFFECTED), (RIGHT, 90)])
def test_one_half_stands_on_both_sides(half, level):
    both = mirrored(film(200, left=AFFECTED), 0.5, half)
    assert both[60, [30, 90]].tolist() == [level, level]
    np.testing.assert_array_equal(both, both[:, ::-1])


def test_what_a_mirrored_half_does_not_reach_is_black():
    both = mirrored(film(200), 0.25, LEFT)
    assert both[5, 60] == 200
    assert not both[:, 66:].any()


@pytest.mark.parametrize(("half", "levels"), [(LEFT, (AFFECTED, 120)), (RIGHT, (120, 90))])
def test_one_lung_lies_in_the_other_film(half, levels):
    rng = np.random.default_rng(0)
    grafted = graft(film(150, left=AFFECTED), LUNGS, film(200, 120, 120), LUNGS, half, 128, Geometry(), rng)
    assert abs(int(grafted[5, 5]) - 200) < 3
    low, high = sorted((levels[0 if half == LEFT else 1], 120))
    own, other = (grafted[65, 38], grafted[65, 90])[::-half]
    assert low - 2 <= own <= high + 2
    assert own < 118
    assert abs(int(other) - 120) < 3
    assert graft(film(150), LUNGS, film(200), np.zeros_like(LUNGS), half, 128, Geometry(), rng) is None


def test_the_mask_tells_which_half_alone_is_affected(one_sided):
    films, data = one_sided
    outlines = outlines_of(films, data, 128)
    assert {index: affected_half(outline, LUNGS) for index, outline in outlines.items()} == {
        0: LEFT,
        1: RIGHT,
        2: NEITHER,
    }
    assert outlines[0][50, 35] == 255
    assert affected_half(outlines[0], np.zeros_like(LUNGS)) == NEITHER


def test_both_lungs_go_into_the_same_films_of_other_archives(one_sided):
    films, data = one_sided
    some = graftable(films)
    assert [p.film.file for p in some] == ["left", "right", "both", "host"]
    squares = np.stack([film(150, AFFECTED), film(150, 90, AFFECTED), film(150), film(200)])
    named, made = grafts(some, squares, np.stack([LUNGS] * 4), data, 96)
    assert [(p.film.file, p.film.label) for p in named[:2]] == [("left", "pneumothorax"), ("left", "normal")]
    assert len(named) == len(made) == 12
    assert made.shape[1:] == (96, 96)
    darkest = made[:, 30:65, 20:76].min(axis=(1, 2))
    affected = np.array([p.film.label == "pneumothorax" for p in named])
    assert darkest[affected].max() < darkest[~affected].min()
    assert grafts(some[:3], squares[:3], np.stack([LUNGS] * 3), data, 96)[1].shape == (0, 96, 96)


def test_batches_say_that_the_other_half_is_no_pneumothorax(one_sided):
    films, data = one_sided
    recipe = read_recipe(
        "reader",
        halves=1.0,
        collapse=0.0,
        folds=0.0,
        priors=0.0,
        places=0.0,
        transplant=0.0,
        borrow=0.0,
        augmentation={},
        geometry={},
        sizes=[[0, 128]],
        batch=64,
    )
    pack = np.stack([film(150, AFFECTED), film(150, 90, AFFECTED), film(150), film(150), film(200), film(200)])
    lungs = PackedLungs.of([LUNGS.astype(float)] * len(films))
    outlines = outlines_of(films, data, 128)
    feed = Feed(recipe, films, pack, np.arange(6), lungs, outlines)
    pictures, labels = feed[0]
    numbers = feed.order[:64]
    np.testing.assert_array_equal(labels[:, 4:], 0.25)
    unaffected = (labels[:, :4] == UNAFFECTED).all(axis=1)
    one_sided_films = feed.affected[numbers] != NEITHER
    assert 0 < unaffected[one_sided_films].mean() < 1
    assert not unaffected[~one_sided_films].any()
    darkest = pictures[:, 35:95, 25:103, 0].min(axis=(1, 2))
    assert (darkest[one_sided_films & ~unaffected] < 85).all()
    assert (darkest[unaffected] >= 88).all()
    np.testing.assert_array_equal(pictures, Feed(recipe, films, pack, np.arange(6), lungs, outlines)[0][0])
    told = Feed(recipe.model_copy(update={"priors": 0.8}), films, pack, np.arange(6), lungs, outlines)[0][1]
    np.testing.assert_array_equal(told[one_sided_films, 4:], 0.25)
    # Films that are shown by a half alone say nothing of what the source of a whole film tells.
    rows, kept = np.array([0, 1, 4, 5]), [films[i] for i in (0, 1, 4, 5)]
    of_halves = Feed(
        recipe.model_copy(update={"priors": 0.8}), kept, pack, rows, lungs, {i: outlines[i] for i in (0, 1)}
    )
    np.testing.assert_allclose(of_halves.priors[:, CODES.index("pneumothorax")], 0.05, atol=1e-6)
    plain = Feed(recipe.model_copy(update={"halves": 0.0}), films, pack, np.arange(6), lungs, outlines)
    assert (plain[0][1].sum(axis=1) == 1).all()


def test_places_follow_the_outline_wherever_the_film_is_moved(one_sided, monkeypatch):
    monkeypatch.setattr("train.feed.ALONE", 0)
    films, data = one_sided
    plain = {"transplant": 0.5, "borrow": 0.0, "collapse": 0.0, "folds": 0.0, "augmentation": {}}
    recipe = read_recipe("reader", halves=0.9, places=1.0, sizes=[[0, 128]], batch=96, **plain)
    outlines = outlines_of(films, data, 128)
    pack = np.random.default_rng(0).integers(50, 110, (6, 128, 128)).astype(np.uint8)
    for index, outline in outlines.items():
        pack[index][outline > 127] = 255
    lungs = PackedLungs.of([LUNGS.astype(float)] * len(films))
    feed = Feed(recipe, films, pack, np.arange(6), lungs, outlines)
    pictures, targets = feed[0]
    places = targets["places"]
    assert places.shape == (96, 4, 4)
    numbers = feed.order[:96]
    is_drawn = np.isin(numbers, list(outlines))
    assert (places[numbers == 3] == UNKNOWN).all()
    assert not places[numbers > 3].any()
    assert not places[(targets["probabilities"][:, :4] == UNAFFECTED).all(axis=1)].any()
    bright = (pictures[is_drawn, ..., 0] > 125).reshape(-1, 4, 32, 4, 32).mean(axis=(2, 4))
    drawn = places[is_drawn]
    assert (drawn == 1).any(axis=(1, 2)).mean() > 0.4
    assert (bright[drawn == 1] > 0.02).mean() > 0.97
    assert (bright[drawn == 0] < 0.15).mean() > 0.97
