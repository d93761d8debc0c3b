import json

import numpy as np
import pytest

from lungcare.conditions import CODES
from tests.train.test_other import looked
from train import audit as auditing
from train import measure
from train.audit import CHANGES, audit, guess_source, stratified, without_lungs
from train.evaluate import evaluate
from train.fit import fit
from train.look import Looked
from train.manifest import DataError, Film
from train.recipe import read_recipe
from train.split import Placed


@pytest.fixture(autouse=True)
def _fewer_draws(monkeypatch):
    monkeypatch.setattr(measure, "RESAMPLES", 20)


def test_a_run_is_audited(prepared, tmp_path):
    run, models = tmp_path / "run", tmp_path / "models"
    fit(read_recipe("thesis-cnn4", sizes=[[0, 32]], blocks=1, batch=8, epochs=1), prepared, run)
    with pytest.raises(DataError, match="is not measured"):
        audit(run, prepared, "phantoms", tmp_path, models)
    evaluate(run, prepared)
    told = audit(run, prepared, "phantoms", tmp_path, models)
    assert json.loads((tmp_path / "docs" / "results" / "audit-phantoms.json").read_text()) == told
    assert set(told["changes"]) == {*CHANGES, "lungs_blanked", "only_lungs"}
    assert told["changes"]["whole"]["survives"] in (1, None)
    assert told["network"] == json.loads((run / "results.json").read_text())["network"]
    assert "whole" in auditing.as_text(told)


@pytest.mark.parametrize("name", CHANGES)
def test_changes_keep_the_padding_and_the_range(name):
    films = np.zeros((2, 64, 64, 1), np.float32)
    films[0, 8:56] = np.random.default_rng(0).uniform(1, 255, (48, 64, 1))
    now = auditing.changed(films, name)
    assert now.shape == films.shape
    assert not now[0, :8].any()
    assert not now[0, 56:].any()
    assert not now[1].any()
    assert now.min() >= 0
    assert now.max() <= 255
    assert (name == "whole") == np.array_equal(now, films)


def test_what_the_changes_take_away():
    film = np.random.default_rng(0).uniform(100, 200, (100, 100)).astype(np.float32)
    assert not auditing.only_borders(film)[20:80, 20:80].any()
    assert np.array_equal(auditing.only_borders(film)[:12], film[:12])
    corners = auditing.corners_masked(film)
    assert not corners[:20, :20].any()
    assert np.array_equal(corners[40:60], film[40:60])
    assert auditing.blurred(film).std() < 0.2 * film.std()
    assert abs(auditing.only_fine(film).mean() - 127) < 5
    assert 1 < np.abs(auditing.resaved(film) - film).mean() < 30


def test_lungs_are_blanked_or_left_alone():
    film = np.full((1, 64, 64, 1), 50, np.float32)
    film[:, 20:40, 20:40] = 200
    lungs = np.zeros((1, 32, 32), bool)
    lungs[:, 10:20, 10:20] = True
    changed = without_lungs(film, lungs)
    grey = film.mean()
    assert np.allclose(changed["lungs_blanked"][:, 20:40, 20:40], grey)
    assert np.allclose(changed["only_lungs"][:, 20:40, 20:40], 200)
    assert np.allclose(changed["only_lungs"][:, :10], grey)
    assert np.allclose(changed["lungs_blanked"][:, :10], 50)


def test_a_source_that_the_features_hold_is_guessed():
    some = looked(200, 0, "normal", 1)
    films = [Placed(Film(p.film.file, "normal", f"s{i % 2}"), p.group, "test") for i, p in enumerate(some.films)]
    noise = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float16)
    telling = noise + 4 * (np.arange(200) % 2)[:, np.newaxis] * np.eye(8)[0]
    held, not_held = (
        guess_source(Looked(films, some.softmax, features, None, some.brightness))["balanced_accuracy"]
        for features in (telling, noise)
    )
    assert held > 0.9
    assert not_held == pytest.approx(0.5, abs=0.15)
    assert guess_source(some) is None


def test_the_films_are_drawn_in_turn_from_the_sources():
    films = [Placed(Film(f"{n}", "normal", "large" if n < 90 else "small"), f"{n}", "test") for n in range(100)]
    drawn = stratified(films, 20)
    assert [sum(p.film.source == name for p in drawn) for name in ("large", "small")] == [10, 10]
    assert stratified(films, 20) == drawn
    assert {p.film.label for p in drawn} <= set(CODES)
