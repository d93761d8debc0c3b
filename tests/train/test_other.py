import numpy as np
import pytest

from lungcare.bundle import Certainty
from train import measure
from train.look import Looked
from train.manifest import Film
from train.other import choose_other, other_figures
from train.split import Placed


@pytest.fixture(autouse=True)
def _fewer_draws(monkeypatch):
    monkeypatch.setattr(measure, "RESAMPLES", 50)


def looked(count: int, away: float, label: str | None, seed: int) -> Looked:
    """Films of four clouds in the features; `away` moves them where no cloud is."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(4, size=count)
    features = rng.normal(size=(count, 12)) + 6 * np.eye(12)[labels] + away * np.eye(12)[8]
    films = [
        Placed(Film(f"{seed}-{i}", label or measure.CODES[n], "s"), f"{seed}-{i}", "") for i, n in enumerate(labels)
    ]
    softmax = 0.9 * np.eye(4)[labels] + 0.025
    return Looked(films, softmax.astype(np.float32), features.astype(np.float16), None, np.zeros(count))


def test_films_that_lie_elsewhere_are_told_and_others_are_not():
    known = looked(400, 0, None, 1)
    far, near = (choose_other(known, looked(100, away, "other", 2)) for away in (8, 0))
    assert far["auc"]["distance"]["value"] > 0.95
    assert far["supported"]
    assert near["auc"]["distance"]["value"] == pytest.approx(0.5, abs=0.1)
    assert not near["supported"]


def test_without_such_films_nothing_is_said():
    assert choose_other(looked(40, 0, None, 1), looked(0, 0, "other", 2)) == {}


def test_what_is_said_of_them_is_counted():
    readings = looked(60, 0, "other", 2).readings()
    told = other_figures(readings, Certainty(score="highest", least=0.95))
    assert told["uncertain"]["value"] == 1
    assert told["abnormal"]["value"] == pytest.approx(1 - told["read_as"]["normal"], abs=1e-3)
