import json

import pytest

from lungcare.conditions import CODES
from train.experiments import UNSEEN, cells, experiments, twinned
from train.manifest import DataError
from train.prepare import open_prepared
from train.thesis import PICTURE, thesis, tuning


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
    assert "| 8 | 240 | 90* (80, 80, 80) |" in tuning(tmp_path)
    assert "| 16 | 240 | 76 (81, 76, 75) |" in tuning(tmp_path)


def test_twins_of_tested_films_take_the_place_of_others_in_training(prepared, tmp_path):
    before, _ = open_prepared(prepared)
    after, _ = open_prepared(twinned(prepared, tmp_path / "films", seed=0))
    count = lambda split, part: sum(p.part == part for p in split.films)  # noqa: E731
    assert {part: count(after, part) for part in ("train", "test")} == {
        part: count(before, part) for part in ("train", "test")
    }
    trained = {p.film.file for p in after.films if p.part == "train"}
    tested = [p.film.file for p in after.films if p.part == "test"]
    assert sum(file in trained for file in tested) / len(tested) > 0.5
    assert not {p.film.file for p in before.films if p.part == "train"} & set(tested)


def test_the_unseen_sources_are_left_out_of_their_cell_alone():
    assert {cell.name: cell.recipe(64, 1).leave_out for cell in cells("doubts", 1)} == {"unseen": UNSEEN, "twins": ()}


def test_the_seeds_are_held_beside_the_depths(tmp_path):
    folder = tmp_path / "experiments"
    folder.mkdir()
    for name, value in {"1-seed0": 0.5, "1-seed1": 0.54, "4-seed0": 0.7}.items():
        figure = {"value": value, "low": value - 0.02, "high": value + 0.02}
        row = dict.fromkeys(("precision", "recall", "f1-score", "support"), value)
        test = {
            "accuracy": figure,
            "report": dict.fromkeys((*CODES, "macro avg"), row),
            "confusion": [[1, 2, 3, 4]] * 4,
        }
        told = {
            "table": "depth",
            "cell": name[0],
            "seed": int(name[-1]),
            "recipe": cells("depth", 1)[int(name[0]) - 1].recipe(64, 1).model_dump(mode="json"),
            "parameters": 1,
            "films_an_epoch": 64,
            "enlarged": 0.5,
            "cores": 1,
            "history": [{"epoch": 1, "accuracy": value, "val_accuracy": value}],
            "seconds_an_epoch": 1,
            "test": test,
        }
        (folder / f"depth-{name}.json").write_text(json.dumps(told))
    page = thesis(tmp_path, tmp_path)
    assert "- Level: the best of our cells reaches 70.0 (68.0 to 72.0), the thesis's 93." in page
    assert "up to 4.0 points, between the means of the depths by 18.0: more than" in page
    assert "test set: batch 8 at 240 px; by one point" in page
    assert "- Twins" not in page
    assert "| four blocks, test films | 70.0 (68.0 to 72.0) |" in page
    assert "| … with twins |  |" in page
    assert "| the thesis's best, as it says (640 px) | 93.0 (93.0 to 93.0) |" in page
    assert (tmp_path / PICTURE).is_file()
    assert "](images/depth.svg)" in page
    assert (tmp_path / "images" / "depth.svg").is_file()
    assert "| depth 4, seed 0 | tuberculosis | 70.0 | 70.0 | 70.0 | 1 |" in page
