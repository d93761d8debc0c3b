import keras
import numpy as np
import pytest
import tensorflow as tf

from lungcare.conditions import CODES
from train.fit import WithPriors, accuracy
from train.manifest import Film
from train.priors import priors, unit
from train.split import Placed


def placed(label: str, source: str, **known: str) -> Placed:
    return Placed(Film(f"{label}{source}", label, source, **known), "g", "train")


def test_one_archive_is_one_unit_and_two_machines_are_two():
    of_nih = [placed("pneumothorax", "siim"), placed("pneumonia", "rsna_128"), placed("normal", "tawsifur_tbx11k")]
    assert {unit(p) for p in [*of_nih, placed("normal", "tawsifur")]} == {"nih"}
    assert unit(placed("tuberculosis", "tawsifur")) != "nih"
    assert unit(placed("normal", "pakistan")) != unit(placed("tuberculosis", "pakistan"))
    assert unit(placed("normal", "shenzhen")) == unit(placed("tuberculosis", "shenzhen"))
    assert unit(placed("normal", "mixed_normals")) == "nih"
    assert unit(placed("normal", "mixed_normals", age_group="child")) == unit(placed("pneumonia", "kermany"))


def test_priors_are_the_chances_within_a_unit():
    films = [placed("normal", "shenzhen"), placed("tuberculosis", "shenzhen"), placed("tuberculosis", "tbx11k")]
    chances = np.array([0.1, 0.3, 0.6])
    np.testing.assert_allclose(priors(films, chances, 1.0), [[0.25, 0, 0.75, 0]] * 2 + [[0, 0, 1, 0]])
    np.testing.assert_allclose(priors(films, chances, 0.6)[2], [0.1, 0.1, 0.7, 0.1], rtol=1e-6)
    np.testing.assert_allclose(priors(films, chances, 0.0), 0.25)


@pytest.mark.parametrize("prior", [(0.85, 0.05, 0.05, 0.05), (0.4, 0.1, 0.4, 0.1)])
def test_nothing_is_gained_by_telling_what_the_source_tells(prior):
    labels = np.eye(len(CODES), dtype=np.float32)
    told = np.concatenate([labels, np.tile(np.float32(prior), (4, 1))], axis=1)

    def loss(said: tuple[float, ...]) -> float:
        """Of films of all classes, as often as the prior says, of which the network says the same."""
        return float(np.average(WithPriors(reduction=None)(told, np.tile(np.float32(said), (4, 1))), weights=prior))

    assert loss((0.25,) * 4) < loss(prior)
    assert loss((0.25,) * 4) == pytest.approx(-np.sum(prior * np.log(prior)), rel=1e-5)


def test_the_network_need_be_less_sure_of_what_the_source_tells():
    prior = np.float32([0.85, 0.05, 0.05, 0.05])
    loss = WithPriors(label_smoothing=0.2)
    least = np.array([0.85, 0.05, 0.05, 0.05]) / prior
    said = tf.Variable(np.log(least[np.newaxis] / least.sum()).astype(np.float32))
    with tf.GradientTape() as tape:
        told = loss(np.append([1, 0, 0, 0], prior).astype(np.float32)[np.newaxis], tf.nn.softmax(said))
    assert float(tf.nn.softmax(said)[0, 0]) == pytest.approx(0.25)
    np.testing.assert_allclose(tape.gradient(told, said), 0, atol=1e-6)


def test_of_one_that_may_be_any_of_three_the_loss_is_of_their_sum():
    even = [0.25] * 4
    told, sure = np.float32([[1, 1, 1, 0, *even]]), np.float32([[0.9, 0.02, 0.03, 0.05]])
    loss = WithPriors(reduction=None)
    said = tf.Variable(np.log(sure))
    with tf.GradientTape() as tape:
        first = loss(told, tf.nn.softmax(said))
    # Of -log(p1 + p2 + p3) by the logits.
    by_sum = sure[0] - np.append(sure[0, :3] / 0.95, 0)
    np.testing.assert_allclose(tape.gradient(first, said)[0], by_sum, atol=1e-6)


def test_with_even_priors_it_is_the_cross_entropy():
    labels = np.eye(len(CODES), dtype=np.float32)
    said = np.full((4, 4), 0.1, np.float32) + 0.6 * np.roll(labels, 1, axis=1)
    even = np.concatenate([labels, np.full((4, 4), 0.25, np.float32)], axis=1)
    np.testing.assert_allclose(WithPriors(reduction=None)(even, said), -np.log(0.1), rtol=1e-5)
    smoothed = keras.losses.CategoricalCrossentropy(label_smoothing=0.2)(labels, said)
    np.testing.assert_allclose(WithPriors(label_smoothing=0.2)(even, said), smoothed, rtol=1e-5)


def test_accuracy_looks_at_the_labels_alone():
    labels = np.eye(len(CODES), dtype=np.float32)
    priors_of_another = np.tile(np.float32([0, 0, 0, 1]), (4, 1))
    said = np.array([[0.7, 0.1, 0.1, 0.1], [0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.7, 0.1], [0.1, 0.1, 0.1, 0.7]])
    for told in (labels, np.concatenate([labels, priors_of_another], axis=1)):
        np.testing.assert_array_equal(accuracy(told, said), [1, 0, 1, 1])
