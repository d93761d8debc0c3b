import io

import numpy as np
import pytest
from PIL import Image

from lungcare import influence
from lungcare.network import Network
from tests import phantom
from tests.conftest import SIZE


def at(row: int, column: int, condition: int = 1) -> np.ndarray:
    """Influence of one place only: float32 (4, 4, 4)."""
    places = np.zeros((4, 4, 4), np.float32)
    places[row, column, condition] = 2
    return places


def test_the_influence_of_all_places_adds_up_to_the_logits(bundle_folder, reader):
    network = Network(bundle_folder / "model.keras", SIZE)
    films = np.stack([reader.prepare(phantom.film(look, 1)).pixels for look in phantom.LOOKS])
    seen = network.look(films)
    logits = seen.influence.sum(axis=(1, 2))
    difference = np.log(seen.probabilities) - logits
    # The bias of each condition and the scale of each film are all that is missing.
    rest = difference - difference[:1] - (difference - difference[:1])[:, :1]
    np.testing.assert_allclose(rest, 0, atol=1e-3)


def test_the_thesis_network_has_no_map(small_thesis):
    seen = Network(small_thesis, 32).look(np.zeros((2, 32, 32, 1), np.float32))
    assert seen.influence is None
    assert seen.features.shape == (2, 128)


@pytest.fixture(scope="module")
def small_thesis(tmp_path_factory):
    from train.networks import thesis

    path = tmp_path_factory.mktemp("thesis") / "model.keras"
    thesis(32, 1).save(path)
    return path


def test_the_strongest_place_counts_one_and_what_speaks_against_nothing():
    shares = influence.class_map(at(1, 2), 1)
    assert shares.max() == shares[1, 2] == 1
    assert not influence.class_map(at(1, 2), 0).any()
    assert not influence.class_map(np.zeros((4, 4, 4)), 2).any()


def test_what_lifts_all_four_alike_is_no_influence():
    np.testing.assert_allclose(influence.class_map(at(1, 2) + 5, 1), influence.class_map(at(1, 2), 1), atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(224, 202), (100, 300), (320, 213)])
def test_the_picture_has_the_geometry_of_the_film(height, width):
    """The square is padded: a place at the side of the square is at the edge of the film, or off it."""
    with Image.open(io.BytesIO(influence.picture(influence.class_map(at(1, 1), 1), height, width))) as picture:
        pixels = np.asarray(picture.convert("RGBA"))
    assert pixels.shape == (height, width, 4)
    row, column = np.unravel_index(pixels[..., 3].argmax(), pixels.shape[:2])
    side = max(pixels.shape[:2])
    expected = [0.375 * side - (side - length) / 2 for length in pixels.shape[:2]]
    assert (row, column) == pytest.approx(np.clip(expected, 0, None), abs=0.06 * side)


def test_share_inside_a_mask():
    mask = np.zeros((64, 64), bool)
    shares = influence.class_map(at(0, 0), 1)
    assert influence.share_inside(shares, mask) == 0
    mask[:32, :32] = True
    assert influence.share_inside(shares, mask) > 0.9
    assert np.isnan(influence.share_inside(np.zeros((4, 4)), mask))
