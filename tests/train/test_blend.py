import json

import keras
import numpy as np
import pytest

from train.blend import blend
from train.fit import NETWORK, fit
from train.manifest import DataError


def test_the_weights_lie_between_the_two_networks(prepared, tmp_path, small_recipe):
    recipe = small_recipe.model_copy(update={"epochs": 1, "steps": 2})
    fit(recipe, prepared, tmp_path / "run")
    network = keras.models.load_model(tmp_path / "run" / NETWORK, compile=False)
    ours = network.get_weights()
    start = tmp_path / "start.keras"
    network.set_weights([weights + 1 for weights in ours])
    network.save(start)
    blend(tmp_path / "run", start, 0.25, tmp_path / "out")
    between = keras.models.load_model(tmp_path / "out" / NETWORK, compile=False).get_weights()
    for own, its in zip(ours, between, strict=True):
        np.testing.assert_allclose(its, own + 0.25, atol=1e-5)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["blend"] == {"with": str(start), "share": 0.25}


def test_another_network_is_refused(prepared, tmp_path, small_recipe):
    recipe = small_recipe.model_copy(update={"epochs": 1, "steps": 1})
    fit(recipe, prepared, tmp_path / "run")
    other = tmp_path / "other.keras"
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(other)
    with pytest.raises(DataError, match="another network"):
        blend(tmp_path / "run", other, 0.5, tmp_path / "out")
