import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lungcare.film import Radiograph, decode, scaled, square
from lungcare.gate import righted
from lungcare.margins import framings, without_margins
from tests import phantom

NOISE = np.random.default_rng(0).normal(0, 0.03, (320, 288))
CHEST = (0.2 + 0.6 * phantom.chest("pneumonia", 301) + NOISE).astype(np.float32)


def within(top: int = 0, bottom: int = 0, left: int = 0, right: int = 0, level: float = 0) -> np.ndarray:
    """The chest, 320 by 288 pixels, within margins of one level."""
    return np.pad(CHEST, ((top, bottom), (left, right)), constant_values=level)


def is_the_chest(film: Radiograph) -> bool:
    return np.corrcoef(square(film.pixels, 96).ravel(), square(CHEST, 96).ravel())[0, 1] > 0.97


@pytest.mark.parametrize("level", [0, 0.5, 1])
@pytest.mark.parametrize(
    "margins",
    [{"left": 90, "right": 90}, {"top": 40}, {"right": 60}, {"top": 60, "bottom": 30, "left": 110, "right": 30}],
)
def test_wide_margins_are_cut_off(margins, level):
    film = Radiograph(within(**margins, level=level))
    cut, whole = framings(film, 160)
    assert (cut.corrections, whole.corrections) == (("wide_margins",), ())
    assert max(cut.pixels.shape) == max(whole.pixels.shape) == 160
    assert is_the_chest(cut)
    assert not is_the_chest(whole)
    assert is_the_chest(without_margins(film))


def test_a_mark_in_the_margin_and_the_noise_of_jpeg_do_not_matter():
    image = Image.fromarray(np.round(255 * within(left=120, right=120)).astype(np.uint8))
    ImageDraw.Draw(image).text((30, 300), "R", 255)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=60)
    cut, _ = framings(decode(stream.getvalue()), 160)
    assert is_the_chest(cut)


@pytest.mark.parametrize(
    "pixels",
    [
        CHEST,
        within(left=12, right=12),
        within(bottom=800, right=300),
        np.full((300, 300), 0.5, np.float32),
        within(left=100, right=100)[::6, ::6],
        np.where(within(left=60, right=60) == 0, np.random.default_rng(0).random((320, 408)), 0.5),
    ],
    ids=["none", "narrow", "a page", "nothing else", "a film too small", "no margin of one level"],
)
def test_other_films_are_left_as_they_are(pixels):
    film = Radiograph(np.asarray(pixels, np.float32))
    assert [framing.corrections for framing in framings(film, 160)] == [()]
    assert without_margins(film) is film


def test_a_film_within_margins_is_set_right_again_where_it_is_shown():
    film = Radiograph(1 - np.rot90(within(left=90, right=90), 2))
    shown = righted(film, ("wide_margins", "inverted", "upside_down"))
    assert is_the_chest(shown)
    assert shown.corrections == ("wide_margins", "inverted", "upside_down")
    assert np.array_equal(scaled(without_margins(film), 160).pixels, framings(film, 160)[0].pixels)


def test_a_film_is_read_without_its_margins(reader):
    own, framed = (reader.read(phantom.encode(pixels)) for pixels in (CHEST, within(left=90, right=90)))
    assert framed.corrections == ("wide_margins",)
    for code, share in own.probabilities.model_dump().items():
        assert getattr(framed.probabilities, code) == pytest.approx(share, abs=0.05)
