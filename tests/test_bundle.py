import hashlib
import json
import shutil

import pytest

from lungcare import bundle
from lungcare.bundle import Bundle, BundleError, open_bundle


@pytest.fixture
def copy(bundle_folder, tmp_path):
    """A bundle that a test may break."""
    return shutil.copytree(bundle_folder, tmp_path / "phantom")


def change_card(folder, **changes):
    path = folder / bundle.CARD
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_whole_bundle(bundle_folder):
    whole = Bundle(bundle_folder)
    assert whole.card.tag == "phantom:0.0.1"
    assert whole.names == ("card.json", "model.keras")
    assert whole.network.is_file()
    assert whole.checksum == hashlib.sha256((bundle_folder / "card.json").read_bytes()).hexdigest()


def test_no_folder(tmp_path):
    with pytest.raises(BundleError, match="no model bundle"):
        Bundle(tmp_path / "nothing")


def test_card_that_is_no_json(copy):
    (copy / bundle.CARD).write_bytes(b"\xff\xfe{")
    with pytest.raises(BundleError, match=r"card\.json is damaged"):
        Bundle(copy)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "Has Spaces"}, "name"),
        ({"version": "1"}, "version"),
        ({"conditions": ["normal", "tuberculosis", "pneumonia", "pneumothorax"]}, "conditions must be"),
        ({"input": {"size": 0, "preprocessing": ""}}, r"input\.size"),
        ({"files": {}}, r"must include model\.keras"),
        ({"files": {"model.keras": {"bytes": 1, "sha256": ""}, "../x": {"bytes": 1, "sha256": ""}}}, "must lie in"),
    ],
)
def test_wrong_card(copy, changes, words):
    change_card(copy, **changes)
    with pytest.raises(BundleError, match=words) as raised:
        Bundle(copy)
    assert "\n" not in str(raised.value)


def test_missing_file(copy):
    (copy / bundle.NETWORK).unlink()
    with pytest.raises(BundleError, match=r"model\.keras is missing"):
        Bundle(copy)


def test_changed_file(copy):
    data = bytearray((copy / bundle.NETWORK).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / bundle.NETWORK).write_bytes(data)
    with pytest.raises(BundleError, match=r"model\.keras is damaged"):
        Bundle(copy)


def test_open_by_name_or_folder(bundle_folder, monkeypatch):
    monkeypatch.setattr(bundle, "MODELS", bundle_folder.parent)
    assert open_bundle("phantom").folder == bundle_folder
    assert open_bundle(bundle_folder).folder == bundle_folder
    assert open_bundle(str(bundle_folder)).folder == bundle_folder
    with pytest.raises(BundleError, match=r"no model 'other'.*phantom"):
        open_bundle("other")


def test_decisions_of_another_model_are_refused(copy, other_bundle_folder):
    """Thresholds hold for one network: neither a copied card nor an exchanged network may carry them on."""
    others = json.loads((other_bundle_folder / bundle.CARD).read_text())
    change_card(copy, decisions=others["decisions"])
    with pytest.raises(BundleError, match=r"decisions belong to phantom:0\.0\.2"):
        Bundle(copy)
    own = json.loads((copy / bundle.CARD).read_text())
    renamed = others["decisions"] | {"model": "phantom:0.0.1"}
    change_card(copy, decisions=renamed)
    with pytest.raises(BundleError, match="another network"):
        Bundle(copy)
    shutil.copyfile(other_bundle_folder / bundle.NETWORK, copy / bundle.NETWORK)
    change_card(copy, decisions=own["decisions"], files=others["files"])
    with pytest.raises(BundleError, match="decisions belong to"):
        Bundle(copy)


def test_a_part_and_its_file_go_together(copy):
    change_card(copy, lungs={"films": 1, "parameters": 2, "dice": {}})
    with pytest.raises(BundleError, match=r"lists lungs\.keras where it describes it"):
        Bundle(copy)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"points": {}}, "operating points must be those of"),
        ({"certainty": {"score": "luck", "least": 0.1}}, "score of certainty must be one of"),
    ],
)
def test_wrong_decisions(copy, change, words):
    card = json.loads((copy / bundle.CARD).read_text())
    change_card(copy, decisions=card["decisions"] | change)
    with pytest.raises(BundleError, match=words):
        Bundle(copy)


def test_a_model_without_decisions_is_whole(copy):
    change_card(copy, decisions=None)
    assert Bundle(copy).card.decisions is None
