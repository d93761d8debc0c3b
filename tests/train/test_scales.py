import json
import shutil

import keras
import numpy as np
import pytest

from lungcare.bundle import record_of
from train.fit import NETWORK, fit
from train.manifest import DataError
from train.networks import weights_of
from train.recipe import read_recipe
from train.scales import at_scales, scale, scaled

READER = {"network": "reader", "sizes": ((0, 64),), "epochs": 1, "steps": 2}


@pytest.fixture(scope="module")
def reader_run(prepared, tmp_path_factory):
    """A short training of a reader of 64 px."""
    run = tmp_path_factory.mktemp("runs") / "reader"
    recipe = read_recipe("thesis-cnn4", batch=8, **READER)
    fit(recipe, prepared, run)
    return run


def test_the_logits_are_the_mean_of_those_at_each_scale(trained_reader):
    network, films = trained_reader
    larger, smaller, both = (
        np.log(at_scales([network], scales)(films).numpy()) for scales in ((1.25,), (0.8,), (1.25, 0.8))
    )
    assert np.abs(larger - smaller).max() > 0.1
    np.testing.assert_allclose(both, keras.ops.log_softmax((larger + smaller) / 2), atol=1e-4)
    np.testing.assert_allclose(at_scales([network], (1.0,))(films), network(films), atol=1e-5)


def test_of_two_networks_each_sees_its_scale(trained_reader, other_reader, tmp_path):
    (network, films), other = trained_reader, other_reader
    at_scales([network, other], (1.25, 0.8)).save(tmp_path / "both.keras")
    both = np.log(keras.models.load_model(tmp_path / "both.keras")(films).numpy())
    first, second = at_scales([network], (1.25,))(films).numpy(), at_scales([other], (0.8,))(films).numpy()
    assert np.abs(np.log(first) - np.log(second)).max() > 0.1
    np.testing.assert_allclose(both, keras.ops.log_softmax((np.log(first) + np.log(second)) / 2), atol=1e-4)
    for line, own in enumerate((network, other)):
        for found, its in zip(weights_of(tmp_path / "both.keras", line), own.get_weights(), strict=True):
            np.testing.assert_allclose(found, its, rtol=1e-6)
    with pytest.raises(DataError, match="from 0 to 1"):
        weights_of(tmp_path / "both.keras", 2)


@pytest.mark.parametrize("scale", [1.25, 0.8])
def test_a_film_is_scaled_about_its_middle(scale):
    film = np.zeros((1, 64, 64, 1), np.float32)
    film[0, 16:32, 16:48] = 200
    rows, columns = np.nonzero(keras.ops.convert_to_numpy(scaled(film, scale))[0, ..., 0] > 100)
    edges = [rows.min(), rows.max() + 1, columns.min(), columns.max() + 1]
    np.testing.assert_allclose(edges, 32 + scale * np.array([-16, 0, -16, 16]), atol=1)


def test_a_run_keeps_its_weights(reader_run, tmp_path):
    scale(reader_run, tmp_path / "out", scales=(1.25, 0.8))
    before, after = (keras.models.load_model(run / NETWORK, compile=False) for run in (reader_run, tmp_path / "out"))
    for own, same in zip(before.get_weights(), after.get_weights(), strict=True):
        np.testing.assert_array_equal(own, same)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["scales"] == [1.25, 0.8]


def test_what_is_beside_a_run_is_described(reader_run, tmp_path):
    scale(reader_run, tmp_path / "out", reader_run)
    own = json.loads((reader_run / "run.json").read_text())
    beside = json.loads((tmp_path / "out" / "run.json").read_text())["beside"]
    assert beside == {name: own.get(name) for name in ("recipe", "start", "commit", "blend")}

    card = {"name": "old", "version": "1.0.2", "data": {"split": own["split"]}, "input": {"size": 64}}
    card["training"] = {"network": "reader", "leave_out": []}
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "card.json").write_text(json.dumps(card))
    shutil.copy(reader_run / NETWORK, tmp_path / "bundle" / "model.keras")
    scale(reader_run, tmp_path / "out", tmp_path / "bundle")
    beside = json.loads((tmp_path / "out" / "run.json").read_text())["beside"]
    assert beside == {"model": "old:1.0.2", "network": record_of(reader_run / NETWORK).sha256}


def test_a_run_goes_on_from_the_second_of_two(reader_run, prepared, tmp_path, small_recipe):
    scale(reader_run, tmp_path / "both", reader_run)
    both = keras.models.load_model(tmp_path / "both" / NETWORK, compile=False)
    both.get_layer("body1").set_weights([weights + 0.5 for weights in both.get_layer("body1").get_weights()])
    both.save(tmp_path / "start.keras")
    start = {"start_from": str(tmp_path / "start.keras"), "start_line": 1, "rate": 1e-9, "weight_decay": 0.0}
    fit(small_recipe.model_copy(update=READER | start), prepared, tmp_path / "run")
    stem, before = (
        keras.models.load_model(run / NETWORK, compile=False).get_layer("stem").kernel.numpy()
        for run in (tmp_path / "run", reader_run)
    )
    np.testing.assert_allclose(stem, before + 0.5, atol=1e-5)


def test_a_network_of_several_scales_gets_no_more(reader_run, tmp_path):
    scale(reader_run, tmp_path / "out")
    for run, beside in ((tmp_path / "out", None), (reader_run, tmp_path / "out")):
        with pytest.raises(DataError, match="several scales already"):
            scale(run, tmp_path / "again", beside)


def test_a_network_of_other_films_is_not_set_beside_it(reader_run, tmp_path):
    other = shutil.copytree(reader_run, tmp_path / "other")
    described = json.loads((other / "run.json").read_text())
    (other / "run.json").write_text(json.dumps(described | {"split": "another"}))
    with pytest.raises(DataError, match="of other films"):
        scale(reader_run, tmp_path / "out", other)


def test_a_network_that_is_no_reader_is_refused(prepared, tmp_path, small_recipe):
    fit(small_recipe.model_copy(update={"epochs": 1, "steps": 1}), prepared, tmp_path / "run")
    with pytest.raises(DataError, match="no run of a reader"):
        scale(tmp_path / "run", tmp_path / "out")
