import numpy as np
import pytest

from lungcare.bundle import Calibration
from lungcare.calibration import calibrated
from train.calibrate import choose_calibration, fit_temperature, reliability


def honest(count: int = 20000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that hold: each label drawn from its own row."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(4, 0.4), count)
    labels = (probabilities.cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    return probabilities, labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found_again(temperature):
    probabilities, labels = honest()
    distorted = calibrated(probabilities, Calibration(temperature=1 / temperature))
    assert fit_temperature(distorted, labels).temperature == pytest.approx(temperature, rel=0.03)


@pytest.mark.parametrize("precision", [np.float64, np.float32])
def test_slopes_are_undone_where_one_temperature_does_not_do(precision):
    probabilities, labels = honest(5000)
    distorted = calibrated(probabilities, Calibration(slopes=(0.5, 1, 2, 1), offsets=(0, 1, 0, -1))).astype(precision)
    chosen, told = choose_calibration(distorted, labels, [str(film) for film in range(len(labels))])
    assert chosen.slopes[0] > 1.2 > 0.8 > chosen.slopes[2]
    assert told["vector"]["brier"] < told["temperature"]["brier"]


def test_few_films_of_one_network_keep_to_one_temperature():
    rng = np.random.default_rng(1)
    probabilities, labels = honest(60)
    chosen, told = choose_calibration(probabilities, labels, [str(number) for number in rng.integers(0, 20, 60)])
    assert chosen.slopes == (1, 1, 1, 1)
    assert set(told) == {"temperature", "vector"}


def test_reliability_of_honest_and_of_boastful_figures():
    probabilities, labels = honest()
    boastful = calibrated(probabilities, Calibration(temperature=0.4))
    assert reliability(probabilities, labels)["ece"] < 0.015
    assert reliability(boastful, labels)["ece"] > 0.05
    assert reliability(boastful, labels)["brier"] > reliability(probabilities, labels)["brier"]


def test_certain_and_wrong_is_the_worst_brier_score():
    told = reliability(np.array([[1.0, 0, 0, 0]]), np.array([1]))
    assert (told["brier"], told["ece"]) == (2.0, 1.0)
    assert told["curve"] == [{"films": 1, "said": 1.0, "right": 0.0}]
