import json

import keras
import numpy as np
import pytest

from train.fit import NETWORK, fit
from train.manifest import DataError
from train.recipe import read_recipe
from train.scales import at_scales, scale, scaled

SCALES = (1.25, 0.8)


@pytest.fixture(scope="module")
def reader_run(prepared, tmp_path_factory):
    """A short training of a reader of 64 px."""
    run = tmp_path_factory.mktemp("runs") / "reader"
    recipe = read_recipe("thesis-cnn4", network="reader", sizes=((0, 64),), epochs=1, steps=2, batch=8)
    fit(recipe, prepared, run)
    return run


def test_the_logits_are_the_mean_of_those_at_each_scale(trained_reader):
    network, films = trained_reader
    larger, smaller = (np.log(network(scaled(films, each)).numpy()) for each in SCALES)
    assert np.abs(larger - smaller).max() > 0.1
    both = np.log(at_scales(network, SCALES)(films).numpy())
    np.testing.assert_allclose(both, keras.ops.log_softmax((larger + smaller) / 2), atol=1e-4)
    np.testing.assert_allclose(at_scales(network, (1.0,))(films), network(films), atol=1e-5)


@pytest.mark.parametrize("scale", SCALES)
def test_a_film_is_scaled_about_its_middle(scale):
    film = np.zeros((1, 64, 64, 1), np.float32)
    film[0, 16:32, 16:48] = 200
    rows, columns = np.nonzero(keras.ops.convert_to_numpy(scaled(film, scale))[0, ..., 0] > 100)
    edges = [rows.min(), rows.max() + 1, columns.min(), columns.max() + 1]
    np.testing.assert_allclose(edges, 32 + scale * np.array([-16, 0, -16, 16]), atol=1)


def test_a_run_keeps_its_weights(reader_run, tmp_path):
    scale(reader_run, tmp_path / "out")
    before, after = (keras.models.load_model(run / NETWORK, compile=False) for run in (reader_run, tmp_path / "out"))
    assert after.input_shape == before.input_shape
    for own, same in zip(before.get_weights(), after.get_weights(), strict=True):
        np.testing.assert_array_equal(own, same)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["scales"] == [1.12, 0.9]


def test_a_network_of_several_scales_gets_no_more(reader_run, tmp_path):
    scale(reader_run, tmp_path / "out")
    with pytest.raises(DataError, match="went through `scales` already, which is done once"):
        scale(tmp_path / "out", tmp_path / "again")


def test_a_network_that_is_no_reader_is_refused(prepared, tmp_path, small_recipe):
    fit(small_recipe.model_copy(update={"epochs": 1, "steps": 1}), prepared, tmp_path / "run")
    with pytest.raises(DataError, match="no run of a reader"):
        scale(tmp_path / "run", tmp_path / "out")
