import json
import shutil

import numpy as np

from train.compare import compare
from train.fit import fit
from train.pack import PackedLungs, open_pack


def test_runs_are_judged_on_the_validation_part_and_kept_in_one_table(prepared, tmp_path, small_recipe):
    fit(small_recipe.model_copy(update={"epochs": 1, "steps": 2}), prepared, tmp_path / "first")
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    results = tmp_path / "docs" / "results"
    results.mkdir(parents=True)
    with_lungs = shutil.copytree(prepared, tmp_path / "prepared")
    found = np.zeros((len(open_pack(prepared)[0]), 128, 128), np.float32)
    found[:, 40:100, 20:60] = found[:, 40:100, 70:110] = 1
    PackedLungs.of(found).save(with_lungs)
    compare([tmp_path / "first"], with_lungs, results)
    tried = compare([tmp_path / "second"], with_lungs, results)
    assert list(tried) == ["first", "second"] == list(json.loads((results / "tried.json").read_text()))
    assert tried["first"]["lungs_blanked"] == tried["second"]["lungs_blanked"]
    figures = [
        tried["first"][name]
        for name in ("balanced_accuracy", "cells", "resaved", "only_lungs", "transplanted", "drawn")
    ]
    assert all(0 <= figure["low"] <= figure["high"] <= 1 for figure in figures)
    assert tried["first"]["transplanted"]["value"] + tried["first"]["body_followed"]["value"] <= 1.01
    page = (tmp_path / "docs" / "EXPERIMENTS.md").read_text()
    assert "- first: the first\n- second: as first\n" in page
