import io
from datetime import date

import numpy as np
import pytest
from PIL import Image, ImageFont

from lungcare import report as module
from lungcare.conditions import CODES
from lungcare.film import decode
from lungcare.quality import Measure, Quality
from lungcare.reading import Probabilities
from lungcare.report import report
from lungcare.words import LANGUAGES, sentences
from tests import phantom

FIGURES = Quality(
    inside=Measure(0.8, 900),
    elsewhere=tuple(Measure(0.435, 487, code, "far") for code in CODES),
    certain=Measure(0.961, 750),
    uncertain=Measure(0.712, 250),
    coverage=Measure(0.75, 1000),
)
DAY = date(2026, 1, 31)


def _sheet(reader, figures=FIGURES, height=320, width=288, language="en", **changes) -> Image.Image:
    film = phantom.encode(phantom.chest("tuberculosis", 3, height, width))
    answer = reader.read(film).model_copy(update=changes)
    return Image.open(io.BytesIO(report(answer, decode(film), figures, DAY, language))).convert("RGB")


@pytest.mark.parametrize(("height", "width"), [(320, 288), (200, 900), (900, 200), (1600, 1500)])
def test_the_sheet_has_the_shape_of_a4_and_keeps_that_of_the_film(reader, height, width):
    sheet = _sheet(reader, height=height, width=width)
    assert sheet.size == module.SIZE
    corner = np.asarray(sheet)[-60:, :]
    assert (corner == 255).all()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("uncertain", [True, False])
def test_all_that_is_written_fits_on_the_sheet(reader, language, uncertain):
    own = Probabilities(normal=0.901, pneumonia=0.059, tuberculosis=0.025, pneumothorax=0.015)
    close = Probabilities(normal=0, pneumonia=0, tuberculosis=0.51, pneumothorax=0.49)
    wrong = ("inverted", "upside_down")
    sheet = _sheet(
        reader, language=language, uncertain=uncertain, prevalence=own, probabilities=close, corrections=wrong
    )
    pixels = np.asarray(sheet.convert("L"))
    assert (pixels[:, : module.MARGIN - 5] == 255).all()
    assert (pixels[:, -module.MARGIN + 5 :] == 255).all()
    assert (pixels[-60:] == 255).all()


def test_the_film_gives_way_where_much_is_to_be_said(reader):
    def film_height(**changes) -> int:
        column = np.asarray(_sheet(reader, **changes).convert("L"))[:, module.MARGIN + 2]
        return int((column == 0).sum())

    assert film_height(uncertain=False) == module.FILM_SIDE
    own = Probabilities(normal=0.901, pneumonia=0.059, tuberculosis=0.025, pneumothorax=0.015)
    much = film_height(language="id", uncertain=True, prevalence=own, corrections=("inverted", "upside_down"))
    assert 500 < much < module.FILM_SIDE


def test_bars_have_the_colours_of_the_conditions(reader):
    film = phantom.film("tuberculosis", 3)
    finding = reader.read(film).finding
    colour = next(condition.colour for condition in module.CONDITIONS if condition.code == finding)
    colours = {count_colour[1] for count_colour in _sheet(reader).getcolors(1 << 24)}
    assert tuple(bytes.fromhex(colour[1:])) in colours


def test_doubt_is_written(reader):
    pictures = [np.asarray(_sheet(reader, uncertain=uncertain)) for uncertain in (True, False)]
    assert (pictures[0] != pictures[1]).any()


def test_what_was_not_measured_is_not_written(reader):
    with_figures = np.asarray(_sheet(reader).convert("L"))
    without = np.asarray(_sheet(reader, Quality(None, ())).convert("L"))
    assert (without < 128).sum() < (with_figures < 128).sum()


def test_nothing_of_the_file_goes_into_the_picture(reader):
    film = phantom.film()
    data = report(reader.read(film), decode(film), FIGURES, DAY, "id")
    with Image.open(io.BytesIO(data)) as picture:
        assert set(picture.info) == {"dpi"}
        assert not picture.getexif()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_typeface_has_every_character_that_is_written(language):
    font = ImageFont.load_default(24)
    missing = bytes(font.getmask("\uffff"))
    texts = sentences(language)
    written = [texts["notice"], texts["report.title"], texts["report.burnt"], texts["result.trust"]]
    written += [
        text
        for code, text in texts.items()
        if code.startswith(("condition.", "result.finding.", "result.uncertain", "result.prevalence.", "quality."))
    ]
    assert not {letter for text in written for letter in text if bytes(font.getmask(letter)) == missing != b""}
