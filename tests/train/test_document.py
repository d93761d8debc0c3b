import pytest

from lungcare.bundle import MODELS, Bundle
from tests.conftest import ROOT
from train import split as splits
from train.document import BEGIN, END, changed, quality, write_experiments
from train.manifest import read_films


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
