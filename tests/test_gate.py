import numpy as np
import pytest

from lungcare import gate
from lungcare.bundle import GateCard
from lungcare.film import Radiograph
from lungcare.reading import FilmError
from tests import phantom

KINDS = ("frontal", "not_a_chest_film", "part_of_chest")
CARD = GateCard(size=96, kinds=KINDS, least_frontal=0.7, most_distance=2, sure=0.9)
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
        gate.check_quality(Radiograph(pixels.astype(np.float32)))
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


def told(frontal=0.98, part=0.01, turns=(0.97, 0.01, 0.01, 0.01), inverted=0.01, distance=1.0) -> list[float]:
    """What a network says of one picture."""
    return [frontal, 1 - frontal - part, part, *turns, inverted, distance]


def gate_that_says(*rows: list[float]) -> gate.Gate:
    """A gate whose network gives these answers one after the other."""
    answers = iter(rows)
    return gate.Gate(CARD, lambda films: np.array([next(answers)], np.float32))


def test_a_film_that_lies_right_is_read_as_it_is():
    film = Radiograph(CHESTS[0])
    assert gate_that_says(told()).check(film) is film
    assert gate_that_says(told(turns=(0.2, 0.7, 0.05, 0.05), inverted=0.8)).check(film) is film, "not sure enough"
    assert gate.Gate().check(film) is film


def test_the_first_framing_that_may_be_read_is():
    cut, whole = Radiograph(CHESTS[1], ("wide_margins",)), Radiograph(CHESTS[0])
    assert gate_that_says(told()).check(cut, whole) is cut
    assert gate_that_says(told(distance=2.5), told()).check(cut, whole) is whole
    with pytest.raises(FilmError) as raised:
        gate_that_says(told(distance=2.5), told(frontal=0.6, part=0.3)).check(cut, whole)
    assert raised.value.code == "part_of_chest"
    turned = Radiograph(np.rot90(CHESTS[0], 2), ("wide_margins",))
    assert gate_that_says(told(turns=(0, 0, 1, 0)), told()).check(turned).corrections == ("wide_margins", "upside_down")


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (told(frontal=0.6, part=0.3), "part_of_chest"),
        (told(frontal=0.1, part=0.2), "not_a_chest_film"),
        (told(distance=2.5), "not_a_chest_film"),
    ],
)
def test_what_is_no_chest_film_is_refused_by_the_likeliest_kind(row, code):
    with pytest.raises(FilmError) as raised:
        gate_that_says(row).check(Radiograph(CHESTS[0]))
    assert raised.value.code == code


@pytest.mark.parametrize(("quarters", "code"), [(1, "turned_left"), (2, "upside_down"), (3, "turned_right")])
@pytest.mark.parametrize("is_inverted", [False, True])
def test_a_film_that_lies_wrong_is_set_right(quarters, code, is_inverted):
    turned = np.rot90(1 - CHESTS[0] if is_inverted else CHESTS[0], quarters)
    turns = tuple(0.97 if quarters == q else 0.01 for q in range(4))
    film = gate_that_says(told(turns=turns, inverted=0.99 if is_inverted else 0), told()).check(Radiograph(turned))
    assert film.corrections == (("inverted",) if is_inverted else ()) + (code,)
    assert np.allclose(film.pixels, CHESTS[0], atol=1e-6)
    again = gate.righted(Radiograph(turned), film.corrections)
    assert np.array_equal(again.pixels, film.pixels)


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([told(turns=(0.02, 0.5, 0.03, 0.45)), told()], "sideways"),
        ([told(turns=(0.02, 0.02, 0.95, 0.01)), told(turns=(0.02, 0.02, 0.95, 0.01))], "upside_down"),
        ([told(inverted=0.95), told(inverted=0.95)], "inverted"),
        ([told(inverted=0.95), told(frontal=0.2, part=0.1)], "not_a_chest_film"),
    ],
)
def test_what_cannot_be_set_right_surely_is_refused(rows, code):
    with pytest.raises(FilmError) as raised:
        gate_that_says(*rows).check(Radiograph(CHESTS[0]))
    assert raised.value.code == code


def test_bad_grey_levels_come_before_everything():
    with pytest.raises(FilmError) as raised:
        gate_that_says(told()).check(Radiograph(0.1 * CHESTS[0]))
    assert raised.value.code == "too_dark"
