from collections import Counter
from functools import partial

import numpy as np

from train import feed as feeding
from train.feed import Feed, ahead, chances, makers, open_feed, training_films
from train.manifest import Film
from train.pack import PackedLungs, open_pack
from train.prepare import open_prepared
from train.recipe import read_recipe
from train.split import Placed, Split


def feed(prepared, recipe, lungs: PackedLungs | None = None) -> Feed:
    split, _ = open_prepared(prepared)
    films = training_films(split, ())
    pack, rows = open_pack(prepared)
    return Feed(recipe, films, pack, np.array([rows[p.film.file] for p in films]), lungs or PackedLungs.none(len(pack)))


def test_one_pass_sees_every_film_once(prepared, small_recipe):
    batches = feed(prepared, small_recipe)
    seen = sum(len(batches[i][0]) for i in range(len(batches)))
    assert sorted(batches.order) == list(range(seen)) == list(range(len(batches.rows)))
    films, labels = batches[0]
    assert films.shape == (8, 32, 32, 1)
    assert films.dtype == np.uint8
    assert 1 < films.max() <= 255
    assert labels.sum(axis=1).tolist() == [1] * 8


def test_an_epoch_is_the_same_again_and_another_is_not(prepared, small_recipe):
    first, second = feed(prepared, small_recipe), feed(prepared, small_recipe)
    second.start_epoch(1)
    assert (first[0][0] != second[0][0]).any()
    second.start_epoch(0)
    np.testing.assert_array_equal(first[0][0], second[0][0])


def test_threads_and_processes_make_the_batches_of_the_feed_in_its_order(prepared, small_recipe, monkeypatch):
    opened = partial(open_feed, small_recipe, prepared)
    for most_threads in (64, 0):
        monkeypatch.setattr(feeding, "CORES_OF_THREADS", most_threads)
        batches = opened()
        with makers(batches, opened) as make:
            for epoch in range(2):
                batches.start_epoch(epoch)
                made = list(ahead(batches, make))
                assert len(made) == len(batches)
                for step, (films, labels) in enumerate(made):
                    np.testing.assert_array_equal(films, batches[step][0])
                    np.testing.assert_array_equal(labels, batches[step][1])


def test_fixed_copies_return_in_the_next_epoch(prepared):
    recipe = read_recipe("thesis-cnn4", sizes=[[0, 32]], batch=8, copies=2)
    batches = feed(prepared, recipe)
    assert len(batches.order) == 2 * len(batches.rows)
    number, place = int(batches.order[3]), 3
    before = batches.view(number, place, 32)
    batches.start_epoch(1)
    np.testing.assert_array_equal(batches.view(number, place, 32), before)


def test_even_over_classes_then_by_root_of_sources():
    films = [Placed(Film(f"{i}", "normal", "big"), f"{i}", "train") for i in range(400)]
    films += [Placed(Film(f"s{i}", "normal", "small"), f"s{i}", "train") for i in range(100)]
    films += [Placed(Film(f"p{i}", "pneumonia", "big"), f"p{i}", "train") for i in range(10)]
    recipe = read_recipe("reader", source_power=0.5, source_weights={})
    chance = chances(films, recipe)
    total = Counter()
    for placed, share in zip(films, chance, strict=True):
        total[placed.film.label, placed.film.source] += share
    assert np.isclose(total["pneumonia", "big"], 0.5)
    assert np.isclose(total["normal", "big"], 0.5 * 20 / 30)


def test_sources_left_out_take_near_alike_films_with_them():
    films = [Placed(Film(f"{s}{g}", "normal", s), g, "train") for s, g in (("a", "1"), ("b", "1"), ("b", "2"))]
    kept = training_films(Split(tuple(films)), ("a",))
    assert [p.film.file for p in kept] == ["b2"]


def test_a_source_may_be_weighed_within_one_class_only():
    films = [
        Placed(Film(f"{label}{source}", label, source), "g", "train")
        for label in ("normal", "pneumonia")
        for source in "ab"
    ]
    recipe = read_recipe("reader", source_weights={"pneumonia/a": 0.0, "a": 3.0})
    assert np.allclose(chances(films, recipe), [0.375, 0.125, 0, 0.5])


def test_outlined_films_are_drawn_more_often_within_their_class_and_source():
    films = [Placed(Film(f"{n}", "pneumothorax", "siim", mask="m" * (n < 2)), "g", "train") for n in range(4)]
    films += [Placed(Film("n", "normal", "siim"), "g", "train"), Placed(Film("p", "pneumothorax", "b"), "g", "train")]
    chance = chances(films, read_recipe("reader", source_power=0.0, source_weights={}, outlined=3.0))
    assert np.allclose(chance, [3 / 32, 3 / 32, 1 / 32, 1 / 32, 1 / 2, 1 / 4])


def test_priors_stand_behind_the_labels_and_the_views_stay(prepared, small_recipe):
    films, labels = feed(prepared, small_recipe.model_copy(update={"priors": 0.5}))[0]
    np.testing.assert_array_equal(films, feed(prepared, small_recipe)[0][0])
    np.testing.assert_array_equal(labels[:, :4], feed(prepared, small_recipe)[0][1])
    np.testing.assert_allclose(labels[:, 4:].sum(axis=1), 1, rtol=1e-6)


def test_borrowing_changes_views_and_follows_the_seed(prepared, small_recipe):
    recipe = small_recipe.model_copy(update={"borrow": 1.0})
    plain, first, again = feed(prepared, small_recipe)[0][0], feed(prepared, recipe)[0][0], feed(prepared, recipe)[0][0]
    np.testing.assert_array_equal(first, again)
    assert (first != plain).any()


def test_transplanting_needs_lungs_changes_views_and_follows_the_seed(prepared, small_recipe):
    recipe = small_recipe.model_copy(update={"transplant": 1.0})
    found = np.zeros((1, 128, 128), np.float32)
    found[:, 40:100, 20:110] = 1
    lungs = PackedLungs.of(np.repeat(found, len(open_pack(prepared)[0]), axis=0))
    plain, without = feed(prepared, small_recipe)[0][0], feed(prepared, recipe)[0][0]
    first, again = feed(prepared, recipe, lungs)[0][0], feed(prepared, recipe, lungs)[0][0]
    assert plain.shape == without.shape == first.shape
    np.testing.assert_array_equal(first, again)
    assert (first != plain).any(axis=(1, 2, 3)).all()
