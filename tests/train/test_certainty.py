import numpy as np
import pytest

from lungcare.certainty import SCORES
from tests.train.test_measure import readings
from train import measure
from train.certainty import ACCURACY, COVERAGE, choose_certainty, measure_certainty


@pytest.fixture(autouse=True)
def _fewer_draws(monkeypatch):
    monkeypatch.setattr(measure, "RESAMPLES", 50)


def test_a_good_network_reaches_what_is_asked_on_other_films():
    rule = choose_certainty(readings(3000, skill=3.5, seed=1))
    told = measure_certainty(readings(3000, skill=3.5, seed=2), rule)
    assert told["certain"]["value"] >= ACCURACY
    assert told["coverage"]["value"] >= COVERAGE
    assert told["uncertain"]["value"] < told["certain"]["value"]


def test_a_poor_network_keeps_the_coverage_and_says_what_it_reaches():
    rule = choose_certainty(readings(3000, skill=1.5, seed=1))
    told = measure_certainty(readings(3000, skill=1.5, seed=2), rule)
    assert told["coverage"]["value"] == pytest.approx(COVERAGE, abs=0.04)
    assert told["certain"]["value"] < ACCURACY


def test_the_figures_by_hand():
    some = readings(400)
    rule = choose_certainty(some)
    certain = SCORES[rule.score](some.probabilities) >= rule.least
    right = some.findings == some.labels
    told = measure_certainty(some, rule)
    assert told["coverage"]["value"] == pytest.approx(certain.mean(), abs=1e-4)
    assert told["certain"]["value"] == pytest.approx(right[certain].mean(), abs=1e-4)
    assert told["certain"]["films"] + told["uncertain"]["films"] == 400
    assert told["curve"][-1] == {"coverage": 1.0, "accuracy": round(float(right.mean()), 4)}
    assert np.all(np.diff([cell["coverage"] for cell in told["curve"]]) > 0)
