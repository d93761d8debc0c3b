import json

import numpy as np
import pytest

from lungcare.conditions import CODES
from tests import phantom
from tests.conftest import ROOT
from train import measure, synthesize
from train.examples_page import PAGE, page, write_page
from train.fidelity import FIRST, fidelity
from train.manifest import DataError
from train.recipe import read_recipe

EACH = 10


@pytest.fixture
def generator(tmp_path, monkeypatch):
    """The run of a generator that draws phantoms, and the seeds that it drew."""
    monkeypatch.setattr(measure, "RESAMPLES", 20)
    # Phantoms of one look are near-alike; here each is a film of its own.
    monkeypatch.setattr("train.prepare.near_pairs", lambda thumbnails: np.empty((0, 2), int))
    monkeypatch.setattr(synthesize.Appearance, "load", lambda path: None)
    seeds = []

    def draw(model, code: str, seed: int) -> np.ndarray:
        seeds.append(seed)
        return (255 * phantom.chest(code, seed)).astype(np.uint8)

    monkeypatch.setattr(synthesize, "draw", draw)
    for code in CODES:
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / "run" / f"{code}.npz").touch()
    return tmp_path / "run", seeds


def test_drawn_films_are_judged_both_ways_and_made_once(generator, prepared, bundle_folder, tmp_path):
    run, seeds = generator
    recipe = read_recipe("thesis-cnn4", sizes=[[0, 32]], blocks=1, batch=8, epochs=1)
    results, pool = tmp_path / "results", tmp_path / "pool"
    results.mkdir()
    pool.mkdir()
    told = fidelity(prepared, run, bundle_folder, pool, 2, EACH, recipe, results)
    assert json.loads((results / "fidelity.json").read_text()) == told
    assert told["judged"]["model"] == "phantom:0.0.1"
    assert {code: own["drawn"] for code, own in told["judged"]["classes"].items()} == dict.fromkeys(CODES, 2)
    trained = told["trained_on_drawn"]
    assert trained["drawn_films"] == dict.fromkeys(CODES, EACH - 2)
    assert trained["drawn"]["films"] == len(CODES)
    assert {"tuberculosis/films"} <= set(trained["test"]["by_source"]) <= {f"{code}/films" for code in CODES}
    assert sorted(seeds) == sorted(len(CODES) * [0, 1, *range(FIRST, FIRST + EACH)])

    assert fidelity(prepared, run, bundle_folder, pool, 2, EACH, recipe, results) == told
    assert len(seeds) == len(CODES) * (EACH + 2), "what was drawn is not drawn again"
    (results / "fidelity.json").write_text(json.dumps(told | {"judged": None}))
    assert fidelity(prepared, run, bundle_folder, pool, 2, 0, recipe, results) == told
    text = (pool / PAGE).read_text()
    figure = trained["test"]["balanced_accuracy"]
    assert f"| balanced accuracy | {figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f}) |" in text
    assert "| tuberculosis | 2 | 2 |" in text


def test_a_film_that_was_half_written_is_drawn_again(generator):
    run, seeds = generator
    folder = run / "films"
    folder.mkdir()
    (folder / "00001.unfinished").write_bytes(b"half")
    synthesize.draw_missing(run, "normal", folder, range(2))
    assert sorted(path.name for path in folder.iterdir()) == ["00000.png", "00001.png"]
    assert sorted(seeds) == [0, 1]


def test_a_class_that_was_never_learned_is_said(prepared, bundle_folder, tmp_path):
    with pytest.raises(DataError, match="Run `python -m train synthesize` first"):
        fidelity(prepared, tmp_path, bundle_folder, tmp_path, 2, EACH, read_recipe("drawn"), None)


def test_too_few_films_to_hold_any_back_are_refused(prepared, bundle_folder, tmp_path):
    with pytest.raises(DataError, match="at least 10 of each class"):
        fidelity(prepared, tmp_path, bundle_folder, tmp_path, 2, 9, read_recipe("drawn"), None)


def test_what_was_not_measured_is_said():
    text = page({}, {})
    assert text.count("Not measured yet") == 3
    assert "synthetic example, no patient" in text


def test_the_page_of_the_pool_says_what_the_results_say(tmp_path):
    write_page(ROOT / "docs" / "results", tmp_path)
    assert (tmp_path / PAGE).read_text() == (ROOT / "examples" / PAGE).read_text()
