import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lungcare.bundle import Bundle, BundleError
from lungcare.conditions import CODES
from lungcare.reader import Reader
from lungcare.reading import STATUS_BY_CODE, FilmError
from lungcare.settings import Settings
from lungcare.words import LANGUAGES
from tests import phantom
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
    assert all(str(value) in sentences for value in values.values())


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
    assert all(400 <= FilmError(code).status < 500 for code in STATUS_BY_CODE)


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
