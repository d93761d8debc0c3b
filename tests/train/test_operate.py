import numpy as np
import pytest

from lungcare.conditions import CODES
from tests.train.test_measure import readings
from train import measure
from train.operate import SENSITIVITY, choose_points, measure_points, wilson_lower


@pytest.fixture(autouse=True)
def _fewer_draws(monkeypatch):
    monkeypatch.setattr(measure, "RESAMPLES", 50)


def test_what_is_chosen_on_some_films_holds_on_others():
    points = choose_points(readings(1200, seed=1))
    told = measure_points(readings(1200, seed=2), points)
    assert tuple(points) == CODES
    for code in CODES:
        screening, balanced = told[code]["screening"], told[code]["balanced"]
        assert screening["sensitivity"]["high"] >= SENSITIVITY
        sums = [point["sensitivity"]["value"] + point["specificity"]["value"] for point in (screening, balanced)]
        assert sums[1] >= sums[0] - 0.03
        assert screening["sensitivity"]["low"] < screening["sensitivity"]["value"] < screening["sensitivity"]["high"]


def test_the_threshold_is_the_highest_that_is_sensitive_enough():
    some = readings(1200, seed=1)
    for index, (code, own) in enumerate(choose_points(some).items()):
        share = some.probabilities[some.labels == index, index]
        for threshold, is_enough in ((own.screening.threshold, True), (own.screening.threshold + 2e-6, False)):
            found = int((share >= threshold).sum())
            assert (wilson_lower(np.array([found]), len(share))[0] >= SENSITIVITY) == is_enough, code


def test_screening_misses_nothing_that_balanced_finds():
    for skill in (1.5, 6):
        for own in choose_points(readings(600, skill=skill)).values():
            assert own.screening.threshold <= own.balanced.threshold


def test_sensitivity_and_specificity_by_hand():
    some = readings(40)
    points = choose_points(some)
    told = measure_points(some, points)["tuberculosis"]["balanced"]
    flagged = some.probabilities[:, 2] >= points["tuberculosis"].balanced.threshold
    assert told["sensitivity"]["value"] == pytest.approx(flagged[some.labels == 2].mean(), abs=1e-4)
    assert told["specificity"]["value"] == pytest.approx(1 - flagged[some.labels != 2].mean(), abs=1e-4)
    assert told["specificity"]["films"] == (some.labels != 2).sum()


def test_inside_a_source_only_its_normal_films_count():
    some = readings(400)
    told = measure_points(some, choose_points(some))["inside"]["pneumonia in one"]["screening"]
    normal = [p for p in some.films if (p.film.label, p.film.source) == ("normal", "one")]
    assert told["specificity"]["films"] == len(normal)


def test_wilson_lower_bound():
    """The bound is the share from which the share that was seen lies 1.645 of its own deviations away."""
    bound = wilson_lower(np.array([90]), 100)[0]
    assert (0.9 - bound) / np.sqrt(bound * (1 - bound) / 100) == pytest.approx(1.645, abs=1e-3)
    assert (np.diff(wilson_lower(np.arange(101), 100)) > 0).all()
