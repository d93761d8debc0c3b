import json

import pytest

from lungcare.bundle import MODELS, Bundle, Certainty
from lungcare.conditions import CODES
from lungcare.settings import Settings
from tests.conftest import ROOT
from train import model_card as module
from train.model_card import CREDITS, NOT_MEASURED, PAGE, model_card, own_audit, read_audits, write_model_card

DEFAULT = MODELS / Settings.model_fields["model"].default


def figure(value: float, films: int = 50) -> dict:
    return {"value": value, "low": value - 0.011, "high": value + 0.013, "films": films}


def cell(value: float, **read_as: float) -> dict:
    return {"films": 50, "accuracy": figure(value), "read_as": dict.fromkeys(CODES, 0.0) | read_as}


@pytest.fixture
def measured(reader):
    """A card of which everything was measured, each figure another number."""
    reached = {"threshold": 0.2, "sensitivity": figure(0.931), "specificity": figure(0.721)}
    held = {"ece": 0.0123, "brier": 0.2345, "curve": [{"films": 5, "said": 0.5, "right": 0.4}]}
    part = {
        "balanced_accuracy": figure(0.876),
        "auc": {"pneumonia": figure(0.987)},
        "by_source": {"normal/a": cell(0.912, normal=0.912), "pneumonia/b": cell(0.412, pneumonia=0.412, normal=0.588)},
        "inside": {"pneumonia in b": figure(0.765)},
        "calibration": {
            "before": held,
            "after": held | {"ece": 0.0776},
            "before_by_source": {"a": {"ece": 0.4567, "brier": 0.5678}},
            "by_source": {"a": held},
        },
        "operating_points": {
            "pneumonia": {"screening": reached, "balanced": reached},
            "inside": {"pneumonia in b": {"screening": reached | {"sensitivity": figure(0.533)}, "balanced": reached}},
        },
        "certainty": {"coverage": figure(0.754), "certain": figure(0.946), "curve": [{"coverage": 1, "accuracy": 0.8}]},
        "influence": {"pointing": figure(0.287), "random": figure(0.037), "in_lungs": figure(0.634)},
    }
    others = {"films": 40, "read_as": dict.fromkeys(CODES, 0.25), "abnormal": figure(0.543), "uncertain": figure(0.321)}
    metrics = {
        "test": part,
        "external": {"by_source": part["by_source"], "other": others, "looks": 7},
        "other": {"auc": {"energy": figure(0.655)}, "supported": False},
    }
    return reader.bundle.card.model_copy(update={"metrics": metrics})


def audit_of(card, name: str = "phantom") -> dict:
    told = {"balanced_accuracy": figure(0.345), "survives": 0.1234}
    return {
        "name": name,
        "network": card.files["model.keras"].sha256,
        "films": 40,
        "changes": {"whole": told | {"survives": 1}, "only_borders": told},
        "source_guessed": {"all": {"balanced_accuracy": 0.812, "chance": 0.0667, "sources": 15, "films": 60}},
        "groups": {"source": {}, "age_group": {"child": figure(0.951)}},
        "pneumothorax": {"sex": {"female": figure(0.888)}},
        "grafted": {"auc": figure(0.841), "seen": figure(0.865), "archive_followed": figure(0.371)},
        "frames": {"whole": figure(0.968), "only_borders": figure(0.532)},
    }


def test_every_figure_of_a_card_and_its_audit_is_said(measured):
    page = model_card(measured, [audit_of(measured)])
    for value in (0.876, 0.987, 0.912, 0.765, 0.931, 0.721, 0.754, 0.946, 0.287, 0.037, 0.634, 0.543, 0.321, 0.655):
        assert f"{value:.3f} ({value - 0.011:.3f} to {value + 0.013:.3f})" in page, value
    for text in (
        "test part: a | 0.457 | 0.012 | 0.568 | 0.234 |",
        "0.345 (",
        "0.12 |",
        "0.812 | 0.067",
        "0.951 (",
        "0.888 (",
        "frame alone 0.532",
        "against the other ones 0.841 (",
        "with the affected lung 0.865 (",
        "with the other one 0.371 (",
    ):
        assert text in page, text
    assert "None carries a rule" in page
    assert "- pneumonia in `b` (test part, 50 films): read as pneumonia in 0.41, as normal in 0.59." in page
    assert "$" not in page
    assert NOT_MEASURED not in page


def test_what_a_doctor_has_to_know_is_said(measured):
    page = model_card(measured, [])
    assert "larger after it than before on: test part." in page
    assert "Of tuberculosis and pneumothorax there are no films of collections that it never saw" in page
    assert "were read 7 times" in page
    failures = page[page.index("## Known failures") : page.index("## How to reproduce")]
    assert (
        "- Screening, pneumonia in b (test part, 50 films with it): finds 0.533 (0.522 to 0.546), less than" in failures
    )
    assert (
        "- Films that it is certain of (test part, 50 films): read rightly in 0.946 (0.935 to 0.959), less" in failures
    )
    assert "- Films with something else (40 films): read as normal in 0.25." in failures


def test_the_commands_that_made_it_are_all_said(measured):
    assert "blend" not in model_card(measured, [])
    training = {
        "start_from": "runs/start.keras",
        "blend": {"starts": {"runs/other.keras": 0.15, "runs/older.keras": 0.1}},
        "ensemble": [{"share": 0.3}, {"share": 0.2}],
        "scales": [1.25, 0.8],
        "head": {"films": 3},
    }
    page = model_card(measured.model_copy(update={"training": training}), [])
    for line in (
        "python -m train blend --run RUN --start runs/other.keras=0.15 runs/older.keras=0.1 --out BLENDED",
        "python -m train scales --run BLENDED --out SCALED",
        "python -m train head --run SCALED --out HEADED",
        "python -m train ensemble --run HEADED --others OTHER-0=0.3 OTHER-1=0.2 --out ENSEMBLE",
        "OTHER-0 and so on were made likewise",
        "python -m train evaluate --run ENSEMBLE",
        "python -m train publish --run ENSEMBLE --name phantom",
        "How `start_from`, `runs/start.keras`, was made: README",
    ):
        assert line in page, line


def test_a_mean_of_several_runs_is_said_with_all_of_their_seeds(measured):
    training = {"blend": {"seeds": [3, 7], "epochs": [12, 9], "starts": {}}}
    page = model_card(measured.model_copy(update={"training": training}), [])
    for line in (
        "python -m train fit --network RECIPE.toml --seed 3 --run RUN-3",
        "python -m train fit --network RECIPE.toml --seed 7 --run RUN-7",
        "python -m train blend --run RUN-3 RUN-7 --out BLENDED",
        "The runs were blended as they were after 12, 9 epochs.",
    ):
        assert line in page, line
    assert "--start" not in page


def test_what_was_not_measured_is_said_to_be_so(reader):
    card = reader.bundle.card.model_copy(update={"decisions": None})
    page = model_card(card, [])
    assert page.count(NOT_MEASURED) > 5
    assert "$" not in page
    assert "None" not in page.replace("None among", "")


def test_an_audit_of_another_network_is_none_of_ours(measured):
    other = audit_of(measured) | {"network": "0" * 64}
    assert own_audit(measured, [other]) is None
    assert "0.345" not in model_card(measured, [other])
    both = [audit_of(measured), other | {"name": "thesis"}]
    assert "`thesis`" in model_card(measured, both)


def test_a_rule_of_the_card_is_said(measured):
    rule = Certainty(score="highest", least=0.8765)
    changed = measured.model_copy(update={"decisions": measured.decisions.model_copy(update={"certainty": rule})})
    assert "its highest of the calibrated probabilities is below 0.876" in model_card(changed, [])


def test_card_and_pictures_are_written_for_the_default_model_alone(measured, tmp_path, monkeypatch):
    models, default = tmp_path / "models", Settings.model_fields["model"].default
    write_model_card(models)
    assert not (tmp_path / "docs").exists()
    (models / default).mkdir(parents=True)
    (models / default / "card.json").write_text("{}")
    results = tmp_path / "docs" / "results"
    results.mkdir(parents=True)
    (results / "audit-phantom.json").write_text(json.dumps(audit_of(measured)))
    monkeypatch.setattr(module, "Bundle", lambda _: type("Whole", (), {"card": measured}))
    write_model_card(models)
    assert (tmp_path / "docs" / PAGE).read_text() == model_card(measured, [audit_of(measured)])
    drawn = {path.name for path in (tmp_path / "docs" / "images").iterdir()}
    assert drawn == {"reliability.png", "certainty.png", "audit.png"}


def test_the_model_card_is_that_of_the_published_model():
    expected = model_card(Bundle(DEFAULT).card, read_audits(ROOT / "docs" / "results"))
    written = (ROOT / "docs" / PAGE).read_text(encoding="utf-8")
    assert written == expected, "docs/MODEL_CARD.md is stale: publish the model anew"


def test_every_collection_of_the_published_model_has_its_credit():
    credited = {source for credit in json.loads(CREDITS.read_text(encoding="utf-8")) for source in credit["sources"]}
    metrics = Bundle(DEFAULT).card.metrics
    named = {name.partition("/")[2] for part in ("test", "external") for name in metrics[part]["by_source"]}
    assert named <= credited
