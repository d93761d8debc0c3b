import numpy as np
import pytest

from lungcare.bundle import Bundle, Calibration
from lungcare.calibration import calibrated
from lungcare.reader import Reader
from tests import phantom


def test_temperature_divides_the_logits():
    logits = np.random.default_rng(0).normal(size=(5, 4))
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = np.exp(logits / 2) / np.exp(logits / 2).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(calibrated(softmax, Calibration(temperature=2)), expected, rtol=1e-6)
    np.testing.assert_array_equal(calibrated(softmax, Calibration()), softmax)


def test_slopes_and_offsets_may_change_the_finding():
    softmax = np.array([[0.4, 0.3, 0.2, 0.1]])
    scaled = calibrated(softmax, Calibration(slopes=(1, 1, 2, 1), offsets=(0, 1, 0, 0)))
    expected = np.array([0.4, 0.3 * np.e, 0.2**2, 0.1])
    np.testing.assert_allclose(scaled[0], expected / expected.sum())


def test_certainty_stays_finite():
    row = calibrated(np.array([[1, 0, 0, 0]], np.float32), Calibration(temperature=2))
    assert np.isfinite(row).all()
    assert row.sum() == pytest.approx(1)


def test_the_reader_applies_the_temperature_of_the_card(bundle_folder):
    bundle, calm = Bundle(bundle_folder), Bundle(bundle_folder)
    cautious_card = {"calibration": Calibration(temperature=3)}
    calm.card = calm.card.model_copy(update=cautious_card)
    film = phantom.film("tuberculosis", 1)
    plain, cautious = Reader(bundle).read(film), Reader(calm).read(film)
    assert cautious.finding == plain.finding
    softmax = np.array([list(plain.probabilities.model_dump().values())])
    np.testing.assert_allclose(
        list(cautious.probabilities.model_dump().values()),
        calibrated(softmax, Calibration(temperature=3))[0],
        atol=1e-6,
    )
