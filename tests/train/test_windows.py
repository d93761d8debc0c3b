import shutil
from dataclasses import astuple

import numpy as np
import pytest

from lungcare import lungs
from lungcare.bundle import LUNGS, MODELS
from lungcare.film import decode, network_input, scaled
from lungcare.network import compiled
from train.feed import open_feed
from train.halves import outlines_of
from train.inputs import network_inputs
from train.manifest import DataError
from train.pack import open_lungs, open_pack
from train.prepare import open_prepared
from train.windows import show_lungs, windows_on


@pytest.fixture(scope="module")
def shown(prepared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shown")
    show_lungs(prepared, folder, 48)
    return folder


def test_the_films_are_the_same_in_the_same_parts_with_a_window_each(prepared, shown):
    (before, data), (now, its_data) = open_prepared(prepared), open_prepared(shown)
    assert (now.checksum, its_data) == (before.checksum, data)
    assert all(p.window is None for p in before.films)
    assert list(now.films) == windows_on(prepared, list(before.films))
    assert len({astuple(p.window) for p in now.films}) > 10


def test_the_pack_holds_what_the_service_shows_its_network(prepared, shown):
    split, data = open_prepared(shown)
    pack, rows = open_pack(shown)
    find = compiled(MODELS / "lungcare" / LUNGS, lungs.SIDE, lungs.SIDE, lungs.SIDE, 1)
    for placed in split.films[::10]:
        film = scaled(decode((data / placed.film.file).read_bytes()), round(lungs.ENLARGED * 48))
        found = lungs.find_lungs(find, 255 * film.pixels[np.newaxis])[0]
        seen = network_input(film, 48, lungs.window_around(lungs.box_of(found)))
        packed = pack[rows[placed.film.file]][..., np.newaxis]
        np.testing.assert_array_equal(packed, np.floor(network_inputs(data, [placed], 48)[0] + 0.5))
        # The lungs were found on other squares: those of the pack, which have 64 pixels.
        assert np.abs(packed - seen).mean() < 6


def test_the_lungs_fill_the_windows(prepared, shown):
    split, _ = open_prepared(shown)
    rows = open_pack(shown)[1]
    masks = open_lungs(shown, len(rows))
    boxes = [masks.box(rows[p.film.file]) for p in split.films]
    spans = [(box.right - box.left, box.bottom - box.top) for box in boxes if box]
    assert len(spans) > 40
    assert np.median(spans) == pytest.approx(1 / 1.12, abs=0.04)


def test_a_network_is_not_given_films_prepared_for_another(prepared, shown, small_recipe, tmp_path):
    with pytest.raises(DataError, match="python -m train windows"):
        open_feed(small_recipe.model_copy(update={"shows": "lungs"}), prepared)
    with pytest.raises(DataError, match="shown the lungs, and this one is shown the film"):
        open_feed(small_recipe, shown)
    with pytest.raises(DataError, match="shown the lungs, and this one is shown the film"):
        show_lungs(shown, tmp_path, 48)
    assert len(open_feed(small_recipe.model_copy(update={"shows": "lungs"}), shown))


def test_an_outline_lies_where_the_window_shows_it(shown, tmp_path):
    """The mask is the film itself, bright parts: it must fall on the bright parts of the window."""
    split, data = open_prepared(shown)
    pack, rows = open_pack(shown)
    placed = split.films[0]
    folder = shutil.copytree(data, tmp_path / "data")
    drawn = placed.film.__class__(**{**vars(placed.film), "mask": placed.film.file})
    outline = outlines_of([placed.__class__(drawn, "g", "train", placed.window)], folder, 48)[0]
    assert (outline > 127).any()
    bright = pack[rows[placed.film.file]]
    assert bright[outline > 250].mean() > 127 > bright[outline < 5].mean()
