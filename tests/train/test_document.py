import json

import pytest

from lungcare.bundle import MODELS, Bundle
from tests.conftest import ROOT
from train import split as splits
from train.document import BEGIN, END, changed, quality, tried, write_experiments
from train.manifest import read_films
from train.recipe import read_recipe


def test_the_readme_says_what_the_cards_say():
    text = (ROOT / "README.md").read_text()
    assert text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip() == quality(MODELS)


def test_published_models_were_trained_on_the_recorded_split(films):
    recorded = splits.read(splits.RECORDED, read_films(films))
    known = {recorded.checksum, splits.balanced(recorded, 2500, seed=0).checksum}
    for card in MODELS.glob("*/card.json"):
        assert Bundle(card.parent).card.data["split"] in known


def test_the_experiments_say_what_the_results_say(tmp_path):
    page = tmp_path / "EXPERIMENTS.md"
    write_experiments(ROOT / "docs" / "results", page)
    written = ROOT / "docs" / "EXPERIMENTS.md"
    if not written.exists():
        pytest.skip("no experiment was run yet")
    assert written.read_text() == page.read_text()


def test_a_recipe_is_told_by_what_it_changes():
    first = {"rate": 1, "leave_out": ["a"], "source_weights": {"a": 0.5}}
    assert changed({"rate": 2, "leave_out": ["b"], "source_weights": {"a": 0.5, "b": 1}}, first) == (
        "rate 2, source_weights.b 1"
    )
    assert changed({"rate": 1, "leave_out": []}, first) == "source_weights.a not set"


def test_a_run_is_told_by_the_one_above_that_it_is_most_like(tmp_path):
    def run(films, **settings):
        figure = {"value": 0.9, "low": 0.8, "high": 1.0}
        recipe = read_recipe("reader", **settings).model_dump(mode="json")
        return {"recipe": recipe, "epochs": 1, "cells": figure | {"films": 9}, "drawn": figure | {"films": films}}

    runs = {"one": run(5), "two": run(5, rate=0.5, borrow=0.5, halves=0.0), "three": run(6, seed=3)}
    (tmp_path / "tried.json").write_text(json.dumps(runs))
    table = tried(tmp_path).splitlines()
    assert table[-3:] == [
        "- one: the first",
        "- two: as one, borrow 0.5, halves 0.0, rate 0.5",
        "- three: as one, seed 3",
    ]
    # Films in the head of a column where all runs have the same, else beside each figure.
    assert " cells, 9 films |" in table[0]
    assert " drawn |" in table[0]
    assert "| 0.900 (0.800 to 1.000) |" in table[2]
    assert "| 0.900 (0.800 to 1.000), 5 films |" in table[2]
