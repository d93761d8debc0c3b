import json

import keras
import numpy as np
import pytest

from train.fit import NETWORK, fit
from train.head import discriminant, refit
from train.manifest import DataError


def drawn(rng, label, archive, number):
    """Films that differ by class in the first feature and by archive, three times as much, in the second."""
    return rng.normal([2 * label, 6 * archive, 0], 1, (number, 3))


def test_an_archive_that_goes_with_the_class_does_not_speak_for_it():
    rng = np.random.default_rng(0)
    counts = {(0, 0): 900, (0, 1): 60, (1, 0): 60, (1, 1): 900}
    features = np.concatenate([drawn(rng, *cell, number) for cell, number in counts.items()])
    labels = np.repeat([label for label, _ in counts], list(counts.values()))
    sources = np.repeat([f"archive {archive}" for _, archive in counts], list(counts.values()))
    views = features[np.newaxis] + rng.normal(0, [0, 0, 3], (2, *features.shape))
    kernel, bias = discriminant(features, views, labels, sources, shrink=0.1)
    assert kernel.shape == (3, 2)
    assert abs(kernel[1, 1]) < 0.05 * kernel[0, 1]
    np.testing.assert_allclose(kernel.sum(axis=1), 0, atol=1e-9)
    for archive in (0, 1):
        films = np.concatenate([drawn(rng, label, archive, 500) for label in (0, 1)])
        right = (films @ kernel + bias).argmax(axis=1) == np.repeat([0, 1], 500)
        assert right.mean() > 0.8


def test_only_the_last_layer_changes(prepared, tmp_path, small_recipe, monkeypatch):
    monkeypatch.setattr("train.head.training_films", lambda split, _: split.films)
    fit(small_recipe.model_copy(update={"epochs": 1, "steps": 2}), prepared, tmp_path / "run")
    refit(tmp_path / "run", prepared, tmp_path / "out", shrink=5, share=0.5)
    before, after = (keras.models.load_model(tmp_path / run / NETWORK, compile=False) for run in ("run", "out"))
    for own, new in zip(before.get_weights()[:-2], after.get_weights()[:-2], strict=True):
        np.testing.assert_array_equal(own, new)
    assert np.abs(before.layers[-1].kernel - after.layers[-1].kernel).max() > 1e-3
    head = json.loads((tmp_path / "out" / "run.json").read_text())["head"]
    assert (head["shrink"], head["share"]) == (5, 0.5)
    assert head["films"] > 0


def test_a_condition_without_films_is_named(prepared, tmp_path, small_recipe):
    fit(small_recipe.model_copy(update={"epochs": 1, "steps": 1}), prepared, tmp_path / "run")
    with pytest.raises(DataError, match="normal"):
        refit(tmp_path / "run", prepared, tmp_path / "out")
