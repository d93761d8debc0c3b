import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lungcare.bundle import CARD, GATE, LUNGS, Bundle, BundleError
from lungcare.conditions import CODES
from lungcare.examples import PER_CONDITION, examples, frozen_examples
from lungcare.reader import Reader
from lungcare.selfcheck import selfcheck
from lungcare.store import StoreError, stored_bundle
from tests import phantom
from train import examples as pool
from train import measure
from train import publish as publishing
from train.document import BEGIN, END
from train.evaluate import as_text, evaluate
from train.fit import fit
from train.manifest import DataError
from train.publish import DEFAULT, publish
from train.recipe import read_recipe


@pytest.fixture(scope="module", autouse=True)
def _fewer_draws():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "RESAMPLES", 50)
        yield


@pytest.fixture(scope="module")
def run(prepared, tmp_path_factory) -> Path:
    """A measured run of a few steps."""
    folder = tmp_path_factory.mktemp("run")
    recipe = read_recipe("thesis-cnn4", sizes=[[0, 32]], blocks=1, batch=8, epochs=1)
    fit(recipe, prepared, folder)
    evaluate(folder, prepared)
    return folder


@pytest.fixture
def models(tmp_path) -> Path:
    (tmp_path / "README.md").write_text(f"# Phantoms\n{BEGIN}\nold\n{END}\nend\n")
    return tmp_path / "models"


class Killed(BaseException):
    """Nothing after it runs, as after SIGKILL: publishing has no clean-up of its own."""


def test_results_are_told(run):
    results = json.loads((run / "results.json").read_text())
    assert set(results["parts"]) == {"validation", "test"}
    text = as_text(results)
    assert "balanced_accuracy" in text
    assert f"== test: {results['parts']['test']['films']} films" in text


def test_published_bundle_reads_and_its_figures_reach_the_readme(run, prepared, models):
    bundle = publish(run, prepared, "phantoms-a", None, models)
    assert bundle.card.tag == "phantoms-a:1.0.0"
    assert stored_bundle("phantoms-a:1.0.0").checksum == bundle.checksum
    answer = Reader(bundle).read(phantom.film("pneumonia", 3))
    assert np.isclose(sum(answer.probabilities.model_dump().values()), 1, atol=1e-5)
    readme = (models.parent / "README.md").read_text()
    accuracy = bundle.card.metrics["test"]["balanced_accuracy"]
    assert f"{accuracy['value']:.3f} ({accuracy['low']:.3f} to {accuracy['high']:.3f})" in readme
    assert readme.endswith("end\n")
    assert "old" not in readme


def test_again_changes_nothing_and_another_network_is_the_next_version(run, prepared, models, tmp_path):
    first = publish(run, prepared, "phantoms-b", None, models)
    card = (models / "phantoms-b" / CARD).read_bytes()
    publish(run, prepared, "phantoms-b", None, models)
    assert (models / "phantoms-b" / CARD).read_bytes() == card

    other = tmp_path / "other"
    fit(read_recipe("thesis-cnn4", sizes=[[0, 32]], blocks=1, batch=8, epochs=1, seed=5), prepared, other)
    evaluate(other, prepared)
    with pytest.raises(DataError, match="published with another content"):
        publish(other, prepared, "phantoms-b", "1.0.0", models)
    with pytest.raises(StoreError, match="another model as phantoms-b"):
        publish(other, prepared, "phantoms-b", "1.0.0", models.with_name("elsewhere"))
    assert not (models.with_name("elsewhere") / "phantoms-b").exists()
    assert Bundle(models / "phantoms-b").checksum == first.checksum
    second = publish(other, prepared, "phantoms-b", None, models)
    assert second.card.version == "1.0.1"
    assert stored_bundle("phantoms-b:1.0.0").checksum == first.checksum


@pytest.mark.parametrize("moment", ["copied", "old out", "before store"])
def test_killed_publishing_is_completed_by_the_next(run, prepared, models, monkeypatch, moment):
    name = f"phantoms-{moment.replace(' ', '-')}"
    before = publish(run, prepared, name, "1.0.0", models)
    with monkeypatch.context() as patch:
        if moment == "copied":
            patch.setattr(Path, "write_text", _killed)
        elif moment == "old out":
            rename = Path.rename
            patch.setattr(Path, "rename", lambda self, to: rename(self, to) if self.name == name else _killed())
        else:
            patch.setattr(publishing, "import_bundle", _killed)
        with pytest.raises(Killed):
            publish(run, prepared, name, "1.2.0", models)
    if moment == "copied":
        assert Bundle(models / name).checksum == before.checksum
    elif moment == "old out":
        with pytest.raises(BundleError):
            Bundle(models / name)
    after = publish(run, prepared, name, "1.2.0", models)
    assert after.card.metrics["external"]["looks"] == 2
    assert stored_bundle(f"{name}:1.2.0").checksum == Bundle(models / name).checksum
    assert [path.name for path in models.iterdir()] == [name]


def test_a_gate_is_published_stays_and_is_lent_to_other_bundles(run, prepared, models, gate_run):
    assert publish(run, prepared, "phantoms-d", None, models).card.gate is None
    gated = publish(run, prepared, DEFAULT, None, models, gate_run)
    assert gated.gate.read_bytes() == (gate_run / GATE).read_bytes()
    assert gated.card.gate.model_dump_json(indent=1) + "\n" == (gate_run / "gate.json").read_text()
    again = publish(run, prepared, DEFAULT, None, models)
    assert (again.checksum, again.card.version) == (gated.checksum, "1.0.0")
    lent = publish(run, prepared, "phantoms-d", None, models)
    assert (lent.card.version, lent.card.gate) == ("1.0.1", gated.card.gate)


def test_a_segmenter_is_published_with_its_figures_unless_it_is_too_large(run, prepared, models, tmp_path, monkeypatch):
    from train.segment import build

    told = {"films": 3, "epochs": 1, "parameters": 9, "dice": {"test": {"films": 2, "mean": 0.9, "lowest_tenth": 0.8}}}
    build().save(tmp_path / LUNGS)
    assert publish(run, prepared, "phantoms-e", None, models, lungs_run=tmp_path).lungs is None  # not measured
    (tmp_path / "results.json").write_text(json.dumps(told))
    bundle = publish(run, prepared, "phantoms-e", None, models, lungs_run=tmp_path)
    assert bundle.lungs.read_bytes() == (tmp_path / LUNGS).read_bytes()
    assert bundle.card.lungs.dice == told["dice"]
    assert publish(run, prepared, "phantoms-e", None, models).checksum == bundle.checksum
    monkeypatch.setattr(publishing, "LARGEST_LUNGS", 1000)
    with pytest.raises(DataError, match=r"at most 0\.001 are published"):
        publish(run, prepared, "phantoms-e", None, models)


def draw_pool(folder: Path, first: int) -> Path:
    """A pool of phantoms in place of drawn films."""
    films = []
    for look in phantom.LOOKS:
        for number in range(first, first + PER_CONDITION):
            film = {"file": f"{look}/{number:02d}.png", "condition": look, "seed": number}
            (folder / look).mkdir(parents=True, exist_ok=True)
            (folder / film["file"]).write_bytes(phantom.film(look, number))
            films.append(film)
    (folder / "pool.json").write_text(json.dumps({"films": films}))
    return folder


def test_drawn_films_are_frozen_with_what_the_model_makes_of_them(run, prepared, models, monkeypatch):
    monkeypatch.setattr(pool, "_is_right", lambda reading, condition: True)
    draw_pool(models.parent / "examples", first=0)
    bundle = publish(run, prepared, "phantoms-g", None, models)
    assert [example.condition for example in examples(bundle)] == [code for code in CODES for _ in range(PER_CONDITION)]
    assert set(frozen_examples(bundle).films[0].stages) == {"decode", "gate", "scale", "network", "calibration"}
    verdict = selfcheck(Reader(bundle))
    assert (verdict.is_checked, verdict.stage) == (True, None)
    assert publish(run, prepared, "phantoms-g", None, models).checksum == bundle.checksum
    draw_pool(models.parent / "examples", first=5)
    assert publish(run, prepared, "phantoms-g", None, models).card.version == "1.0.1"


def test_only_the_default_bundle_has_to_read_drawn_films(run, prepared, models, monkeypatch):
    monkeypatch.setattr(pool, "_is_right", lambda reading, condition: condition != "tuberculosis")
    draw_pool(models.parent / "examples", first=0)
    with pytest.raises(DataError, match="reads 0 of the 4 films drawn as tuberculosis"):
        publish(run, prepared, DEFAULT, "9.0.0", models)
    assert not (models / DEFAULT).exists()
    bundle = publish(run, prepared, "phantoms-f", None, models)
    assert examples(bundle) == []
    assert publish(run, prepared, "phantoms-f", None, models).checksum == bundle.checksum


def test_what_was_not_measured_is_not_published(run, prepared, models, tmp_path):
    unmeasured = tmp_path / "unmeasured"
    shutil.copytree(run, unmeasured)
    (unmeasured / "results.json").unlink()
    with pytest.raises(DataError, match="is not measured"):
        publish(unmeasured, prepared, "phantoms-c", None, models)
    assert not (models / "phantoms-c").exists()


def _killed(*_, **__):
    raise Killed
