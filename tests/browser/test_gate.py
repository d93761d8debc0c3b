"""What the page says of a cat, a hand, a film that lies wrong and a DICOM file, behind a gate."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from lungcare.reader import Reader
from tests import dicom_files, gated, phantom
from tests.browser.test_page import SEND, saved, shown

CHEST = phantom.chest("pneumonia", 301)


@pytest.fixture(scope="module")
def gated_reader(gated_folder) -> Reader:
    return Reader.open(gated_folder)


def drop(page, name: str, data: bytes) -> None:
    page.evaluate(SEND, [name, "drop", base64.b64encode(data).decode()])


def pixels_of(page) -> np.ndarray:
    """The film that the page shows, 0 to 1."""
    source = page.get_attribute(".lc-film img", "src")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))), float) / 255


@pytest.mark.parametrize("draw", [gated.cat, gated.hand])
def test_what_is_no_film_is_refused_without_a_number(open_page, gated_server, draw):
    page = open_page("examine", url=gated_server.url)
    drop(page, "drawing.png", phantom.encode(draw(300)))
    alert = page.wait_for_selector(".lc-alert")
    assert alert.get_attribute("data-code") == "not_a_chest_film"
    assert "does not look like a frontal chest X-ray" in alert.inner_text()
    assert page.locator(".lc-bar").count() == 0
    assert "%" not in page.inner_text("[data-screen=result]")


def test_an_upside_down_film_is_read_and_shown_upright(open_page, gated_server, gated_reader):
    data = phantom.encode(np.rot90(CHEST, 2))
    page = open_page("examine", url=gated_server.url)
    drop(page, "film.png", data)
    expected = gated_reader.read(data)
    assert expected.corrections == ("upside_down",)
    assert shown(page) == pytest.approx(expected.probabilities.model_dump(), abs=1e-4)
    assert "it was turned upright" in page.inner_text("[data-correction=upside_down]")
    assert "it was turned upright" in page.inner_text("#lc-heard")
    assert np.corrcoef(pixels_of(page).ravel(), CHEST.ravel())[0, 1] > 0.95
    assert saved(page, "picture")[1].startswith(b"\x89PNG")


def test_a_dicom_file_is_read(open_page, gated_server, gated_reader):
    data = dicom_files.write(np.round(CHEST * 4095).astype(np.uint16), BitsStored=12)
    page = open_page("examine", url=gated_server.url)
    drop(page, "film.dcm", data)
    assert shown(page) == pytest.approx(gated_reader.read(data).probabilities.model_dump(), abs=1e-4)
    assert page.locator("[data-correction]").count() == 0
