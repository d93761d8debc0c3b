import json

import keras
import numpy as np
import pytest

from train.fit import NETWORK, fit
from train.manifest import DataError
from train.scales import at_scales, scale

READER = {"network": "reader", "sizes": ((0, 64),), "epochs": 1, "steps": 2}


def test_the_logits_are_the_mean_of_those_at_each_scale(trained_reader):
    network, films = trained_reader
    larger, smaller, both = (
        np.log(at_scales(network, scales)(films).numpy()) for scales in ((1.25,), (0.8,), (1.25, 0.8))
    )
    assert np.abs(larger - smaller).max() > 0.1
    np.testing.assert_allclose(both, keras.ops.log_softmax((larger + smaller) / 2), atol=1e-4)
    np.testing.assert_allclose(at_scales(network, (1.0,))(films), network(films), atol=1e-5)


@pytest.mark.parametrize("scale", [1.25, 0.8])
def test_a_film_is_scaled_about_its_middle(scale):
    film = np.zeros((1, 64, 64, 1), np.float32)
    film[0, 16:32, 16:48] = 200
    seen = keras.layers.Lambda(lambda film: film, name="features")
    inputs = keras.Input((64, 64, 1))
    given = at_scales(keras.Model(inputs, keras.layers.Activation("linear")(seen(inputs))), (scale,))
    rows, columns = np.nonzero(given(film).numpy()[0, ..., 0] > 100)
    edges = [rows.min(), rows.max() + 1, columns.min(), columns.max() + 1]
    np.testing.assert_allclose(edges, 32 + scale * np.array([-16, 0, -16, 16]), atol=1)


def test_a_run_keeps_its_weights(prepared, tmp_path, small_recipe):
    fit(small_recipe.model_copy(update=READER), prepared, tmp_path / "run")
    scale(tmp_path / "run", tmp_path / "out", (1.25, 0.8))
    before, after = (keras.models.load_model(tmp_path / run / NETWORK, compile=False) for run in ("run", "out"))
    for own, same in zip(before.get_weights(), after.get_weights(), strict=True):
        np.testing.assert_array_equal(own, same)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["scales"] == [1.25, 0.8]


def test_a_network_that_is_no_reader_is_refused(prepared, tmp_path, small_recipe):
    fit(small_recipe.model_copy(update={"epochs": 1, "steps": 1}), prepared, tmp_path / "run")
    with pytest.raises(DataError, match="no run of a reader"):
        scale(tmp_path / "run", tmp_path / "out")
