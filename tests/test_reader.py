import io
import json
import logging
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lungcare import lungs
from lungcare.bundle import CARD, LUNGS, Bundle, BundleError, record_of
from lungcare.conditions import CODES
from lungcare.reader import Reader
from lungcare.reading import STATUS_BY_CODE
from lungcare.settings import Settings
from lungcare.words import LANGUAGES
from tests import phantom
from tests.conftest import SIZE
from tests.test_film import BAD


@pytest.fixture(scope="module")
def strict(bundle_folder):
    """A reader with small limits."""
    return Reader(Bundle(bundle_folder), Settings(max_bytes=60_000, max_pixels=100_000))


def vector(reading) -> np.ndarray:
    return np.array([getattr(reading.probabilities, code) for code in CODES])


def test_reading(reader):
    reading = reader.read(phantom.film())
    assert reading.outcome == "read"
    assert reading.model == reader.tag == "phantom:0.0.1"
    assert vector(reading).sum() == pytest.approx(1, abs=1e-5)
    assert reading.finding == CODES[vector(reading).argmax()]


def test_the_phantoms_are_told_apart(reader):
    findings = {reader.read(phantom.film(look, seed)).finding for look in phantom.LOOKS for seed in range(4)}
    assert len(findings) > 1, "the tests of order mean nothing if all films read the same"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_bytes_and_file_read_the_same(reader, tmp_path, kind):
    data = phantom.film(kind=kind)
    (tmp_path / "film").write_bytes(data)
    assert reader.read_file(tmp_path / "film") == reader.read(data)


def test_alone_or_together(reader):
    films = [reader.prepare(phantom.film(look, seed)) for look in phantom.LOOKS for seed in range(3)]
    alone = np.stack([vector(reader.judge([film])[0]) for film in films])
    for count in (2, 5, 12):
        together = np.stack([vector(reading) for reading in reader.judge(films[:count])])
        assert np.abs(together - alone[:count]).max() < 1e-5


def with_card(bundle_folder, settings=None, **changes) -> Reader:
    """A reader of the same network with another card."""
    bundle = Bundle(bundle_folder)
    bundle.card = bundle.card.model_copy(update=changes)
    return Reader(bundle, settings)


def test_flags_are_those_of_the_thresholds(reader):
    points = reader.bundle.card.decisions.points
    for seed in range(4):
        reading = reader.read(phantom.film("pneumonia", seed))
        for code, share in reading.probabilities.model_dump().items():
            flag = getattr(reading.flags, code)
            assert flag.screening == (share >= points[code].screening.threshold)
            assert flag.balanced == (share >= points[code].balanced.threshold)
        assert set(reading.flagged("balanced")) <= set(reading.flagged("screening"))


def test_uncertain_by_the_rule_of_the_card(bundle_folder, reader):
    decisions, film = reader.bundle.card.decisions, phantom.film("pneumonia", 1)
    first, second = sorted(reader.read(film).probabilities.model_dump().values())[:1:-1]
    for least, expected in ((first - second - 1e-4, False), (first - second + 1e-4, True)):
        rule = decisions.certainty.model_copy(update={"least": least})
        other = with_card(bundle_folder, decisions=decisions.model_copy(update={"certainty": rule}))
        assert other.read(film).uncertain is expected


def test_without_decisions_nothing_is_said_of_them(bundle_folder):
    reading = with_card(bundle_folder, decisions=None).read(phantom.film())
    assert (reading.uncertain, reading.flags, reading.flagged("screening")) == (None, None, ())


def test_prevalence_weighs_the_probabilities_and_nothing_else(bundle_folder, reader):
    """Bayes' theorem; the operating points were measured on even probabilities, and stay what they are."""
    prevalence = np.array([0.9, 0.06, 0.03, 0.01])
    clinic = with_card(bundle_folder, Settings(prevalence=tuple(prevalence)))
    changed = 0
    for look in phantom.LOOKS:
        for seed in range(4):
            film = phantom.film(look, seed)
            even, own = reader.read(film), clinic.read(film)
            expected = vector(even) * prevalence
            np.testing.assert_allclose(vector(own), expected / expected.sum(), atol=1e-6)
            assert list(own.prevalence.model_dump().values()) == pytest.approx(prevalence)
            assert own.flags == even.flags
            assert own.uncertain or own.finding == even.finding
            changed += own.finding != even.finding
    assert changed


def test_the_map_comes_with_the_same_reading(reader):
    film = phantom.film("tuberculosis", 2)
    answer, picture = reader.read_with_map(film)
    assert answer == reader.read(film)
    assert answer.in_lungs is None, "this bundle has no network that finds the lungs"
    with Image.open(io.BytesIO(picture)) as map_picture:
        assert map_picture.size == (round(288 / 320 * SIZE), SIZE)
        assert map_picture.convert("RGBA").getextrema()[3][1] == 255
    refusal, nothing = reader.read_with_map(b"not a film")
    assert (refusal.outcome, nothing) == ("refused", None)


def test_the_share_of_the_map_in_the_lungs_is_said_where_it_is_asked_for(bundle_folder, tmp_path):
    """Of a network that finds the left half of every film to be lung, and of one that finds nothing."""
    film = phantom.film("tuberculosis", 2)
    reader = Reader.open(with_lungs(bundle_folder, tmp_path / "half", 5))
    answer, picture = reader.read_with_map(film)
    with Image.open(io.BytesIO(picture)) as map_picture:
        strength = np.asarray(map_picture.convert("RGBA"))[..., 3].astype(float)
    left = strength[:, : strength.shape[1] // 2].sum() / strength.sum()
    assert answer.in_lungs == pytest.approx(left, abs=0.03)
    prepared = reader.prepare(film)
    assert reader.judge([prepared], in_lungs=True)[0] == answer
    assert reader.read(film) == reader.judge([prepared])[0] == answer.model_copy(update={"in_lungs": None})
    assert Reader.open(with_lungs(bundle_folder, tmp_path / "none", -5)).read_with_map(film)[0].in_lungs is None


def with_lungs(bundle_folder: Path, folder: Path, bias: float) -> Path:
    """The bundle with a network that takes the left half of any film for lung with the logit `bias`."""
    import keras

    side = lungs.SIDE
    inputs = keras.Input((side, side, 1))
    left = keras.layers.Conv2D(1, 1, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(bias))
    right = keras.layers.ZeroPadding2D(((0, 0), (0, side // 2)))
    halved = right(keras.layers.Activation("sigmoid")(left(keras.layers.Cropping2D(((0, 0), (0, side // 2)))(inputs))))
    shutil.copytree(bundle_folder, folder)
    keras.Model(inputs, halved).save(folder / LUNGS)
    card = json.loads((folder / CARD).read_text())
    card["lungs"] = {"films": 1, "parameters": 2, "dice": {}}
    card["files"][LUNGS] = record_of(folder / LUNGS).model_dump()
    (folder / CARD).write_text(json.dumps(card))
    return folder


def test_threads(reader):
    films = [phantom.film(look, seed) for look in phantom.LOOKS for seed in range(4)]
    with ThreadPoolExecutor(8) as pool:
        readings = list(pool.map(reader.read, films))
    assert readings == [reader.read(film) for film in films]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", BAD)
def test_refused(reader, case, language):
    data, code, values = BAD[case]
    refusal = reader.read(data, language)
    assert (refusal.outcome, refusal.code, refusal.model) == ("refused", code, "phantom:0.0.1")
    sentences = f"{refusal.message} {refusal.advice}"
    assert "{" not in sentences
    assert all(str(value).removesuffix(".0") in sentences for value in values.values())


def test_limits_are_those_of_the_settings(strict, tmp_path):
    film = phantom.chest(height=400, width=300)
    assert strict.read(phantom.encode(film, "JPEG")).code == "too_many_pixels"
    (tmp_path / "large.png").write_bytes(phantom.encode(film))
    for refusal in (strict.read_file(tmp_path / "large.png"), strict.read(phantom.encode(film))):
        assert refusal.code == "file_too_large"
        assert "0.06 MB" in refusal.message
    assert strict.read(phantom.film(kind="JPEG")).outcome == "read"


def test_a_huge_file_is_not_read_whole(strict, tmp_path):
    with open(tmp_path / "huge.png", "wb") as file:
        file.truncate(1 << 40)
    assert strict.read_file(tmp_path / "huge.png").code == "file_too_large"


@pytest.mark.parametrize("name", ["missing.png", "."])
def test_unreadable_file(reader, tmp_path, name):
    assert reader.read_file(tmp_path / name).code == "unreadable_file"


def test_every_code_has_a_client_status():
    assert all(400 <= STATUS_BY_CODE[code] < 500 for code in STATUS_BY_CODE)


def test_nothing_is_logged(reader, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    reader.read(phantom.film())
    reader.read(b"not a film")
    assert not [record for record in caplog.records if record.name.startswith("lungcare")]
    assert capfd.readouterr().out == ""


def test_card_and_network_must_agree(bundle_folder):
    from lungcare.network import Network

    with pytest.raises(BundleError, match="must map"):
        Network(bundle_folder / "model.keras", 128)
    with pytest.raises(BundleError, match="cannot be loaded"):
        Network(bundle_folder / "card.json", 64)


def test_the_package_is_light():
    script = """
import sys, lungcare, lungcare.bundle, lungcare.film, lungcare.reader, lungcare.batch
heavy = {"tensorflow", "keras", "bentoml", "gradio"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
