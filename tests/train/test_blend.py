import json

import keras
import numpy as np
import pytest

from train.blend import blend
from train.feed import open_feed
from train.fit import HISTORY, NETWORK, RUN, fit
from train.manifest import DataError
from train.recipe import read_recipe


def test_the_weights_lie_between_the_two_networks(prepared, tmp_path, small_recipe):
    recipe = small_recipe.model_copy(update={"epochs": 1, "steps": 2})
    fit(recipe, prepared, tmp_path / "run")
    network = keras.models.load_model(tmp_path / "run" / NETWORK, compile=False)
    ours = network.get_weights()
    starts = [tmp_path / "start.keras", tmp_path / "older.keras"]
    for start, more in zip(starts, (1, 3), strict=True):
        network.set_weights([weights + more for weights in ours])
        network.save(start)
    blend([tmp_path / "run"], prepared, tmp_path / "out", [(starts[0], 0.2), (starts[1], 0.1)])
    between = keras.models.load_model(tmp_path / "out" / NETWORK, compile=False).get_weights()
    for own, its in zip(ours, between, strict=True):
        np.testing.assert_allclose(its, own + 0.5, atol=1e-5)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["blend"] == {
        "seeds": [recipe.seed],
        "epochs": [1],
        "starts": {str(starts[0]): 0.2, str(starts[1]): 0.1},
    }


def test_another_network_is_refused(prepared, tmp_path, small_recipe):
    recipe = small_recipe.model_copy(update={"epochs": 1, "steps": 1})
    fit(recipe, prepared, tmp_path / "run")
    other = tmp_path / "other.keras"
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(other)
    with pytest.raises(DataError, match="another network"):
        blend([tmp_path / "run"], prepared, tmp_path / "out", [(other, 0.5)])


@pytest.mark.parametrize("shares", [(0.0, 0.5), (0.6, 0.6), (float("nan"), 0.5)])
def test_shares_that_leave_no_mean_are_refused(tmp_path, shares):
    starts = list(zip((tmp_path / "a.keras", tmp_path / "b.keras"), shares, strict=True))
    with pytest.raises(DataError, match="shares of the starts"):
        blend([], tmp_path, tmp_path / "out", starts)


def test_a_start_that_is_named_twice_is_refused(tmp_path):
    with pytest.raises(DataError, match="named twice"):
        blend([], tmp_path, tmp_path / "out", [(tmp_path / "a.keras", 0.3), (tmp_path / "a.keras", 0.6)])


def test_several_runs_are_averaged_and_normalise_by_films_again(prepared, tmp_path, small_recipe):
    runs = []
    for seed in (1, 2):
        runs.append(tmp_path / f"run{seed}")
        fit(small_recipe.model_copy(update={"epochs": 1, "steps": 2, "seed": seed}), prepared, runs[-1])
    blend(runs, prepared, tmp_path / "out")
    one, two, made = (keras.models.load_model(run / NETWORK, compile=False) for run in (*runs, tmp_path / "out"))
    for own, its, mean in zip(one.trainable_weights, two.trainable_weights, made.trainable_weights, strict=True):
        np.testing.assert_allclose(mean, (own.numpy() + its.numpy()) / 2, atol=1e-6)
    feed = open_feed(small_recipe.model_copy(update={"steps": 2, "seed": 1}), prepared)
    first = next(layer for layer in made.layers if isinstance(layer, keras.layers.BatchNormalization))
    before = keras.Model(made.input, first.input)
    batches = [before(feed[step][0]).numpy() for step in range(2)]
    np.testing.assert_allclose(first.moving_mean, np.mean([b.mean((0, 1, 2)) for b in batches], 0), atol=1e-5)
    np.testing.assert_allclose(first.moving_variance, np.mean([b.var((0, 1, 2)) for b in batches], 0), rtol=1e-3)
    assert first.momentum == small_recipe.norm_momentum
    assert json.loads((tmp_path / "out" / "run.json").read_text())["blend"]["seeds"] == [1, 2]


def test_runs_of_different_recipes_are_refused(prepared, tmp_path, small_recipe):
    for name, rate in (("one", 1e-3), ("two", 1e-4)):
        fit(small_recipe.model_copy(update={"epochs": 1, "steps": 1, "rate": rate}), prepared, tmp_path / name)
    with pytest.raises(DataError, match="more than their seed"):
        blend([tmp_path / "one", tmp_path / "two"], prepared, tmp_path / "out")


def test_runs_that_started_small_are_blended_at_the_size_that_is_published(prepared, tmp_path):
    """A network as small as can be stands for the reader's: its size is what counts."""
    plain = {"start_from": "", "transplant": 0.0, "halves": 0.0, "places": 0.0, "geometry": {}, "augmentation": {}}
    small = read_recipe("reader", sizes=[[0, 32], [1, 64]], epochs=2, steps=1, batch=2, **plain)
    film = keras.Input((64, 64, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.BatchNormalization()(film))
    network = keras.Model(film, keras.layers.Dense(4)(pooled))
    runs = [tmp_path / "one", tmp_path / "two"]
    for run in runs:
        run.mkdir()
        network.save(run / NETWORK)
        (run / RUN).write_text(json.dumps({"recipe": small.model_dump(mode="json"), "split": ""}))
        (run / HISTORY).write_text("epoch\n1\n2\n")
    blend(runs, prepared, tmp_path / "out")
    assert keras.models.load_model(tmp_path / "out" / NETWORK, compile=False).input_shape == (None, 64, 64, 1)
