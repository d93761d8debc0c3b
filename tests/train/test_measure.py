import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from lungcare.conditions import CODES
from train import measure
from train.manifest import Film
from train.measure import Readings
from train.split import Placed


def readings(count: int = 400, skill: float = 1.5, seed: int = 0) -> Readings:
    rng = np.random.default_rng(seed)
    labels = rng.integers(4, size=count)
    scores = rng.normal(size=(count, 4)) + skill * np.eye(4)[labels]
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    films = [
        Placed(Film(f"{i}", CODES[label], source="one" if i % 2 else "two"), f"g{i // 2}", "test")
        for i, label in enumerate(labels)
    ]
    return Readings(films, chances)


@pytest.fixture(autouse=True)
def _fewer_draws(monkeypatch):
    monkeypatch.setattr(measure, "RESAMPLES", 200)


def test_figures_agree_with_scikit_learn():
    some = readings()
    figures = measure.part_figures(some)
    assert figures["balanced_accuracy"]["value"] == pytest.approx(
        balanced_accuracy_score(some.labels, some.findings), abs=1e-4
    )
    for index, code in enumerate(CODES):
        expected = roc_auc_score(some.labels == index, some.probabilities[:, index])
        assert figures["auc"][code]["value"] == pytest.approx(expected, abs=1e-4)
    assert np.sum(figures["confusion"]) == 400
    assert set(figures["inside"]) == {f"{code} in {source}" for code in CODES[1:] for source in ("one", "two")}


def test_the_interval_holds_the_figure_and_narrows_with_more_films():
    wide = measure.with_interval(readings(100), measure.accuracy)
    narrow = measure.with_interval(readings(1600), measure.accuracy)
    for figure in (wide, narrow):
        assert figure["low"] < figure["value"] < figure["high"]
    assert narrow["high"] - narrow["low"] < 0.6 * (wide["high"] - wide["low"])


def test_groups_are_drawn_whole():
    """Every film ten times in one group: the interval is that of the groups, not of the films."""
    some = readings(100)
    ten = Readings(
        [Placed(p.film, f"{p.film.file}", "test") for p in some.films for _ in range(10)],
        np.repeat(some.probabilities, 10, axis=0),
    )
    alone = Readings([Placed(p.film, p.film.file, "test") for p in some.films], some.probabilities)
    wide, same = (measure.with_interval(r, measure.accuracy) for r in (alone, ten))
    assert same["high"] - same["low"] == pytest.approx(wide["high"] - wide["low"], abs=0.02)


def test_normal_or_not_asks_only_that():
    films = [Placed(Film("a", "pneumonia", "s"), "a", "test"), Placed(Film("b", "normal", "s"), "b", "test")]
    some = Readings(films, np.array([[0.1, 0.2, 0.7, 0.0], [0.4, 0.6, 0.0, 0.0]]))
    assert measure.normal_or_not(some, np.ones(2)) == 0.5
    assert measure.accuracy(some, np.ones(2)) == 0.0


def test_pneumothorax_is_measured_inside_its_archive_without_children():
    films = [Placed(Film(f"x{i}", "pneumothorax", "siim"), f"x{i}", "test") for i in range(5)]
    films += [Placed(Film(f"n{i}", "normal", "rsna"), f"n{i}", "test") for i in range(5)]
    films += [Placed(Film(f"m{i}", "normal", "mixed_normals", age_group="child"), f"m{i}", "test") for i in range(5)]
    films += [Placed(Film(f"a{i}", "normal", "mixed_normals", age_group="adult"), f"a{i}", "test") for i in range(2)]
    some = Readings(films, np.random.default_rng(0).dirichlet(np.ones(4), len(films)))
    table = measure.inside(some)
    assert table["pneumothorax of siim, normals of the NIH archive"]["films"] == 12
    assert table["pneumothorax of siim, normals of mixed_normals"]["films"] == 7
