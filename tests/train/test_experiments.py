import json

import pytest

from train.document import tuning
from train.experiments import cells, experiments
from train.manifest import DataError


def test_every_cell_of_the_thesis_once_for_each_seed():
    assert [cell.run for cell in cells("depth", 2)][:6] == [f"depth-{n}-seed0" for n in range(1, 6)] + ["depth-1-seed1"]
    tuned = cells("tuning", 1)
    assert {(cell.batch, cell.size) for cell in tuned} == {(b, s) for b in (8, 16, 32) for s in (240, 480, 640)}
    assert {cell.recipe(64, 2).steps * cell.batch for cell in tuned} == {64}


def test_cells_are_run_once_and_shown(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr("train.experiments.cells", lambda table, seeds: [c for c in cells("depth", 1) if c.blocks == 2])
    monkeypatch.setattr("train.experiments.Cell.recipe", small(cells("depth", 1)[1].recipe(16, 1)))
    monkeypatch.setattr("train.experiments._longest_sides", lambda data, films: [64] * len(films))
    experiments("depth", prepared, tmp_path / "runs", seeds=1, views=16, epochs=1, docs=tmp_path)
    path = tmp_path / "results" / "experiments" / "depth-2-seed0.json"
    told = json.loads(path.read_text())
    assert told["recipe"]["blocks"] == 2
    assert told["enlarged"] == 1
    assert told["test"]["films"] > 0
    row = next(line for line in (tmp_path / "EXPERIMENTS.md").read_text().splitlines() if line.startswith("| 2 | 87 |"))
    assert f"{100 * told['test']['accuracy']['value']:.1f}" in row
    before = path.stat().st_mtime_ns
    experiments("depth", prepared, tmp_path / "runs", seeds=1, views=16, epochs=1, docs=tmp_path)
    assert path.stat().st_mtime_ns == before


def small(recipe):
    return lambda cell, views, epochs: recipe.model_copy(update={"sizes": ((0, 32),), "batch": 8, "steps": 2})


def test_films_packed_too_small_are_refused(prepared, tmp_path):
    with pytest.raises(DataError, match="packed at 64 px"):
        experiments("tuning", prepared, tmp_path / "runs", seeds=1, views=32, epochs=1, docs=tmp_path)


def test_a_cell_that_contradicts_itself_is_marked(tmp_path):
    assert "| 8 | 240 | 90* |" in tuning(tmp_path)
    assert "| 16 | 240 | 76 |" in tuning(tmp_path)
