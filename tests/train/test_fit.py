import csv
import os
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from train.feed import UNKNOWN, ahead
from train.fit import CHECKPOINT, HISTORY, NETWORK, fit, in_known_places
from train.lungs import packed_lungs
from train.manifest import DataError
from train.networks import build, reader, thesis
from train.pack import LUNGS, PackedLungs, open_lungs, open_pack
from train.recipe import read_recipe


def history(run) -> list[dict]:
    with (run / HISTORY).open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("blocks", range(1, 6))
def test_thesis_network(blocks):
    network = thesis(64, blocks)
    kinds = [type(layer).__name__ for layer in network.layers]
    assert kinds.count("Conv2D") == kinds.count("BatchNormalization") == kinds.count("MaxPooling2D") == blocks
    assert network.output_shape == (None, 4)
    assert network.get_layer("features").kernel.shape[0] == (64 // 2**blocks) ** 2 * 32


def test_thesis_network_at_640_px_is_under_15_mb_in_half_precision():
    assert thesis(640, 4).count_params() * 2 < 15e6


def test_reader_ignores_brightness_and_contrast():
    network = reader(64)
    film = np.random.default_rng(0).uniform(0, 128, (1, 64, 64, 1)).astype(np.float32)
    np.testing.assert_allclose(network(film), network(film * 1.5 + 40), atol=1e-3)


def test_killed_in_an_epoch_and_resumed_ends_as_an_unbroken_run(prepared, tmp_path, small_recipe):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    recipe = small_recipe.model_copy(update={"epochs": 4, "steps": 6})
    fit(recipe, prepared, whole)

    options = ["--size", "32", "--blocks", "2", "--batch", "8", "--epochs", "4", "--steps", "6"]
    command = [sys.executable, "-m", "train", "fit", "--data", str(prepared), "--run", str(broken), *options]
    process = subprocess.Popen(command, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"})
    deadline = time.monotonic() + 300
    while not (broken / HISTORY).exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(history(broken))
    assert 1 <= done < 4, "the run must be killed before its end"

    with pytest.raises(DataError, match="--resume"):
        fit(recipe, prepared, broken)
    fit(recipe, prepared, broken, resume=True)
    assert [row["epoch"] for row in history(broken)] == [row["epoch"] for row in history(whole)] == list("1234")
    for ours, theirs in zip(history(broken), history(whole), strict=True):
        assert float(ours["loss"]) == pytest.approx(float(theirs["loss"]), rel=0.05)
    steps = [int(keras.models.load_model(run / CHECKPOINT).optimizer.iterations) for run in (whole, broken)]
    assert steps == [24, 24]
    assert (broken / "curves.png").stat().st_size > 1000


def test_another_recipe_in_the_same_folder_is_refused(prepared, tmp_path, small_recipe):
    fit(small_recipe.model_copy(update={"epochs": 1, "steps": 1}), prepared, tmp_path)
    with pytest.raises(DataError, match="another recipe or split"):
        fit(small_recipe, prepared, tmp_path, resume=True)


def test_who_goes_on_from_another_network_is_shown_other_views(prepared, tmp_path, small_recipe, monkeypatch):
    shown = []

    def noted(feed, make):
        batches = list(ahead(feed, make))
        shown.append(np.concatenate([films for films, _ in batches]))
        return batches

    monkeypatch.setattr("train.fit.ahead", noted)
    short = small_recipe.model_copy(update={"epochs": 1, "steps": 2})
    for run, start in (("first", ""), ("second", "first"), ("second again", "first"), ("third", "second")):
        start_from = str(tmp_path / start / NETWORK) if start else ""
        fit(short.model_copy(update={"start_from": start_from}), prepared, tmp_path / run)
    first, second, again, third = shown
    np.testing.assert_array_equal(second, again)
    assert (first != second).any()
    assert (second != third).any()
    with pytest.raises(DataError, match="no network nowhere"):
        fit(short.model_copy(update={"start_from": "nowhere.keras"}), prepared, tmp_path / "fourth")


def test_a_reader_grows_and_publishes_its_averages(prepared, tmp_path):
    small = {"sizes": [[0, 32], [1, 64]], "batch": 4, "epochs": 2, "steps": 2, "validate_films": 0}
    recipe = read_recipe(
        "reader", start_from="", geometry={}, transplant=0, halves=0, collapse=0, folds=0, places=0, **small
    )
    fit(recipe, prepared, tmp_path)
    published = keras.models.load_model(tmp_path / NETWORK, compile=False)
    assert published.input_shape == (None, 64, 64, 1)
    trained = keras.models.load_model(tmp_path / CHECKPOINT)
    assert trained.optimizer.use_ema
    kernel = published.get_layer("probabilities").kernel
    assert (np.asarray(kernel) != np.asarray(trained.get_layer("probabilities").kernel)).any()
    start = build(recipe, 64).get_layer("block3_expand").kernel.shape
    assert published.get_layer("block3_expand").kernel.shape == start


def test_a_reader_learns_places_and_publishes_none(prepared, tmp_path, monkeypatch):
    lungs = np.zeros((1, 128, 128), np.float32)
    lungs[:, 40:100, 20:110] = 1
    with_lungs = shutil.copytree(prepared, tmp_path / "prepared")
    PackedLungs.of(np.repeat(lungs, len(open_pack(prepared)[0]), axis=0)).save(with_lungs)
    whole = np.full((64, 64), 255, np.uint8)
    monkeypatch.setattr("train.feed.outlines_of", lambda films, data, side: dict.fromkeys(range(len(films)), whole))
    small = {"sizes": [[0, 32]], "batch": 8, "steps": 3, "average": 0.9, "validate_films": 0, "augmentation": {}}
    recipe = read_recipe("reader", start_from="", halves=0, places=1, epochs=1, **small)
    fit(recipe, with_lungs, tmp_path / "run")
    trained = keras.models.load_model(tmp_path / "run" / CHECKPOINT)
    assert trained.get_layer("places").kernel.shape == (1280, 1)
    published = keras.models.load_model(tmp_path / "run" / NETWORK, compile=False)
    assert published.output_shape == (None, 4)
    assert "places" not in {layer.name for layer in published.layers}
    averages = trained.optimizer._model_variables_moving_average
    of_path = {v.path: np.asarray(average) for v, average in zip(trained.trainable_variables, averages, strict=True)}
    for variable in published.trainable_variables:
        np.testing.assert_array_equal(np.asarray(variable), of_path[variable.path])


def test_films_whose_lungs_nobody_drew_can_train_the_published_reader_further(prepared, tmp_path, monkeypatch):
    own = shutil.copytree(prepared, tmp_path / "prepared")
    recipe = read_recipe("reader", sizes=[[0, 64]], batch=4, steps=1, epochs=1, validate_films=0)
    fit(recipe, own, tmp_path / "run")
    assert keras.models.load_model(tmp_path / "run" / NETWORK, compile=False).output_shape == (None, 4)
    found = open_lungs(own, len(open_pack(own)[0]))
    assert found
    assert np.array_equal(packed_lungs(own).packed, found.packed)

    monkeypatch.setattr("train.lungs.PUBLISHED", tmp_path)
    assert packed_lungs(own)
    (own / LUNGS).unlink()
    with pytest.raises(DataError, match="train segment"):
        packed_lungs(own)


def test_places_that_nobody_drew_teach_nothing():
    drawn = np.array([[[1, 0]], [[UNKNOWN, UNKNOWN]]], np.float32)
    said = np.array([[[0.5, 0.5]], [[0.9, 0.1]]], np.float32)
    np.testing.assert_allclose(in_known_places(drawn, said), [2 * np.log(2), 0], rtol=1e-5)


def test_a_run_in_half_precision_publishes_a_network_of_single_precision(prepared, tmp_path):
    recipe = read_recipe("thesis-cnn4", sizes=[[0, 32]], blocks=1, batch=8, epochs=1, precision="mixed_bfloat16")
    fit(recipe, prepared, tmp_path)
    trained = keras.models.load_model(tmp_path / CHECKPOINT)
    assert "bfloat16" in {layer.compute_dtype for layer in trained.layers}
    assert {str(weight.dtype) for weight in trained.trainable_weights} == {"float32"}
    published = keras.models.load_model(tmp_path / NETWORK, compile=False)
    assert {layer.compute_dtype for layer in published.layers} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


def test_the_command_line_says_what_to_do(tmp_path):
    command = [sys.executable, "-m", "train", "fit", "--data", str(tmp_path), "--run", str(tmp_path / "run")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "Run `python -m train prepare" in found.stderr
    assert "Traceback" not in found.stderr
