import csv
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from lungcare.bundle import record_of
from train.fit import HISTORY, RUN, WithPriors, fit
from train.manifest import DataError
from train.recipe import read_recipe
from train.teachers import open_teacher, taught

SAID = np.float32([0.1, 0.2, 0.3, 0.4])


@pytest.fixture
def constant(tmp_path):
    """A network of 48 px that says the same of every film: its file."""
    film = keras.Input((48, 48, 1))
    told = keras.layers.Dense(4, activation="softmax")(keras.layers.GlobalAveragePooling2D()(film))
    network = keras.Model(film, told)
    network.set_weights([np.zeros((1, 4)), np.log(SAID)])
    network.save(tmp_path / "constant.keras")
    return tmp_path / "constant.keras"


def test_a_teacher_sees_views_at_its_own_size(constant):
    views = np.zeros((2, 64, 64, 1), np.uint8)
    np.testing.assert_allclose(open_teacher(constant)(views), [SAID, SAID], rtol=1e-5)


def test_the_mean_of_what_teachers_say_follows_labels_and_priors():
    teachers = [lambda views: np.tile(SAID, (len(views), 1)), lambda views: np.tile(SAID[::-1], (len(views), 1))]
    views, labels, places = np.zeros((2, 8, 8, 1), np.uint8), np.ones((2, 8), np.float32), np.zeros((2, 1, 1))
    batches = [(views, labels), (views, {"probabilities": labels, "places": places})]
    plain, with_places = (targets for _, targets in taught(batches, teachers))
    expected = np.concatenate([labels, np.full((2, 4), 0.25)], axis=1)
    np.testing.assert_allclose(plain, expected, rtol=1e-6)
    np.testing.assert_allclose(with_places["probabilities"], expected, rtol=1e-6)
    assert with_places["places"] is places


def test_the_share_that_is_taught_is_least_where_the_network_says_what_the_teachers_do():
    told = np.float32([[1, 0, 0, 0, 0.7, 0.1, 0.1, 0.1, *SAID]])
    said = tf.Variable(np.log(SAID)[np.newaxis])
    own, alone, half = (WithPriors(reduction=None, taught=share) for share in (0.0, 1.0, 0.5))
    with tf.GradientTape() as tape:
        loss = alone(told, tf.nn.softmax(said))
    np.testing.assert_allclose(tape.gradient(loss, said), 0, atol=1e-6)
    np.testing.assert_allclose(loss, -(SAID * np.log(SAID)).sum(), rtol=1e-5)
    probabilities = SAID[np.newaxis]
    mean = (own(told, probabilities) + alone(told, probabilities)) / 2
    np.testing.assert_allclose(half(told, probabilities), mean, rtol=1e-5)


def test_a_run_learns_what_its_teacher_says(prepared, tmp_path, small_recipe, constant):
    taught_alone = {"epochs": 4, "steps": 10, "taught": 1.0, "teachers": (str(constant),)}
    fit(small_recipe.model_copy(update=taught_alone), prepared, tmp_path)
    losses = [float(row["loss"]) for row in csv.DictReader((tmp_path / HISTORY).open())]
    least = -(SAID * np.log(SAID)).sum()
    assert least < losses[-1] < losses[0]
    assert losses[-1] == pytest.approx(least, rel=0.1)
    assert json.loads((tmp_path / RUN).read_text())["teachers"] == [record_of(constant).sha256]


def test_a_teacher_that_may_have_seen_what_is_left_out_is_refused(prepared, tmp_path, small_recipe, constant):
    recipe = small_recipe.model_copy(update={"taught": 0.5, "teachers": (str(constant),), "leave_out": ("one",)})
    with pytest.raises(DataError, match="may have been trained on one"):
        fit(recipe, prepared, tmp_path / "run")


def test_teachers_and_their_share_go_together():
    with pytest.raises(DataError, match="go together"):
        read_recipe("reader", taught=0.5)
