import numpy as np
import pytest

from lungcare.certainty import SCORES

ROWS = np.array([[0.25, 0.25, 0.25, 0.25], [0.5, 0.4, 0.05, 0.05], [0.7, 0.2, 0.05, 0.05], [1.0, 0, 0, 0]])


@pytest.mark.parametrize("name", SCORES)
def test_the_surer_the_higher(name):
    scores = SCORES[name](ROWS)
    assert (np.diff(scores) > 0).all()
    assert scores[-1] == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(SCORES[name](ROWS[:, ::-1]), scores)


def test_what_the_scores_are():
    row = np.array([[0.6, 0.3, 0.1, 0]])
    assert {name: round(float(score(row)[0]), 3) for name, score in SCORES.items() if name != "entropy"} == {
        "highest": 0.6,
        "margin": 0.3,
    }
    assert SCORES["entropy"](ROWS[:1])[0] == pytest.approx(0, abs=1e-6)
