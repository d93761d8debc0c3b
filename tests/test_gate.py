import numpy as np
import pytest

from lungcare import gate
from lungcare.film import Radiograph
from lungcare.reading import FilmError
from tests import phantom

CHESTS = [phantom.chest(look, seed) for look in phantom.LOOKS for seed in range(3)]


def on_black_page(pixels: np.ndarray, share: float = 0.1) -> np.ndarray:
    """A film that fills `share` of an otherwise black picture."""
    page = np.zeros([round(side / share**0.5) for side in pixels.shape], np.float32)
    page[: pixels.shape[0], : pixels.shape[1]] = pixels
    return page


def with_marker(pixels: np.ndarray) -> np.ndarray:
    """A film with a white letter in its corner, however dark it is."""
    marked = pixels.copy()
    marked[4:14, 4:14] = 1
    return marked


# What each fault does to a film, from slight to complete.
FAULTS = {
    "too_dark": [lambda film, factor=factor: film * factor for factor in (0, 0.02, 0.1, 0.25)]
    + [lambda film: with_marker(film * 0.2)],
    "too_bright": [lambda film, factor=factor: 1 - (1 - film) * factor for factor in (0, 0.02, 0.1, 0.2)],
    "no_contrast": [lambda film, factor=factor: 0.5 + (film - 0.5) * factor for factor in (0, 0.02, 0.1, 0.18)],
    "nearly_empty": [lambda film, share=share: on_black_page(film, share) for share in (0.02, 0.05, 0.1, 0.15)],
}


def code(pixels: np.ndarray) -> str | None:
    try:
        gate.check(Radiograph(pixels.astype(np.float32)))
    except FilmError as error:
        return error.code
    return None


@pytest.mark.parametrize("film", CHESTS)
def test_films_are_accepted(film):
    assert code(film) is None
    assert code(0.5 * film) is None
    assert code(0.4 + 0.6 * film) is None
    assert code(with_marker(film)) is None
    assert code(on_black_page(film, 0.5)) is None


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_gives_its_reason(fault):
    codes = [code(damage(film)) for damage in FAULTS[fault] for film in CHESTS]
    assert None not in codes
    assert codes.count(fault) >= 0.9 * len(codes)


def test_size_of_the_film_does_not_matter():
    for film in CHESTS[:3]:
        small = gate.quality(Radiograph(film))
        large = gate.quality(Radiograph(np.kron(film, np.ones((5, 5), np.float32))))
        assert np.allclose([small.dark, small.bright, small.even], [large.dark, large.bright, large.even], atol=0.03)


def test_a_refused_film_has_no_probabilities(reader):
    answer = reader.read(phantom.encode(0.1 * CHESTS[0]))
    assert (answer.outcome, answer.code) == ("refused", "too_dark")
    assert "probabilities" not in answer.model_dump()
    assert reader.read(phantom.encode(0.1 * CHESTS[0]), "id").message == "Foto toraks ini hampir seluruhnya hitam."
