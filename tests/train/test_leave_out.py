import json

import numpy as np
import pytest

from tests import phantom
from train import measure
from train.blend import blend
from train.fit import fit
from train.leave_out import leave_out, score
from train.manifest import DataError
from train.prepare import prepare
from train.recipe import read_recipe


@pytest.fixture
def prepared_sources(tmp_path, monkeypatch):
    """Two classes from two sources, by manifest."""
    lines = ["file,label,source,role"]
    for source, first in (("one", 0), ("two", 100)):
        for label in ("normal", "tuberculosis"):
            for number in range(first, first + 8):
                name = f"{label}{number}.png"
                (tmp_path / name).write_bytes(phantom.film(label, number))
                lines.append(f"{name},{label},{source},internal")
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    folder = tmp_path / "prepared"
    # Phantoms of one look are near-alike; here each is a patient of its own.
    monkeypatch.setattr("train.prepare.near_pairs", lambda thumbnails: np.empty((0, 2), int))
    prepare(tmp_path, folder, size=64, seed=0, per_class=None, resplit=False)
    return folder


def test_scores_on_the_sources_left_out(prepared_sources, tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "RESAMPLES", 20)
    recipe = read_recipe("thesis-cnn4", sizes=[[0, 32]], blocks=1, batch=8, epochs=1)
    result = leave_out(recipe, ("two",), prepared_sources, tmp_path / "run", tmp_path / "docs")
    assert set(result["by_source"]) == {"normal/two", "tuberculosis/two"}
    assert result["inside"]["tuberculosis in two"]["films"] == 16
    assert json.loads((tmp_path / "docs" / "results" / "leave-out-run.json").read_text()) == result
    page = (tmp_path / "docs" / "EXPERIMENTS.md").read_text()
    assert "AUC tuberculosis in two" in page
    assert "films packed at 64 px" in page
    assert score(tmp_path / "run", prepared_sources, tmp_path / "docs") == result
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert {name.split("/")[1] for name in run["films"]} == {"one"}


def test_a_source_that_is_not_there_is_refused_before_anything_is_trained(prepared_sources, tmp_path):
    with pytest.raises(DataError, match=r"No film to train on is of tow\. Known: one, two\."):
        leave_out(read_recipe("thesis-cnn4"), ("tow",), prepared_sources, tmp_path / "run", tmp_path / "docs")
    assert not (tmp_path / "run").exists()


def test_a_run_on_all_sources_has_none_to_be_scored_on_and_is_no_start_without_some(prepared_sources, tmp_path):
    recipe = read_recipe("thesis-cnn4", sizes=[[0, 32]], blocks=1, batch=8, epochs=1, steps=1)
    fit(recipe, prepared_sources, tmp_path / "run")
    with pytest.raises(DataError, match="trained on all sources"):
        score(tmp_path / "run", prepared_sources, tmp_path / "docs")
    begun = recipe.model_copy(update={"start_from": str(tmp_path / "run" / "network.keras")})
    with pytest.raises(DataError, match="may have been trained on two"):
        leave_out(begun, ("two",), prepared_sources, tmp_path / "next", tmp_path / "docs")
    without = recipe.model_copy(update={"leave_out": ("two",)})
    fit(without, prepared_sources, tmp_path / "without")
    with pytest.raises(DataError, match="may have been trained on two"):
        blend([tmp_path / "without"], prepared_sources, tmp_path / "mixed", [(tmp_path / "run" / "network.keras", 0.5)])
    begun = recipe.model_copy(update={"start_from": str(tmp_path / "without" / "network.keras")})
    leave_out(begun, ("two",), prepared_sources, tmp_path / "next", tmp_path / "docs")
