"""Bombs cost no more than 300 MB and 2 seconds of the processor. All of them: python -m benchmarks.costs"""

import sys
import tracemalloc

import numpy as np
import pytest

from benchmarks.costs import LIMIT_MEGABYTES, LIMIT_SECONDS, cost
from lungcare import gate, preview
from lungcare.film import Radiograph
from tests.bombs import BOMBS

# One of each way to cost much; the rest would only take the tests' time.
QUICK = [
    "at the limit: PNG, RGBA, turned",
    "at the limit: JPEG, CMYK, turned",
    "at the limit: DICOM, JPEG 2000",
    "PNG, texts of 5 GB",
    "DICOM, JPEG greater than it says",
    "DICOM, a million sequences in each other",
    "DICOM, JPEG 2000 of 65,535 layers",
    "DICOM, JPEG 2000 of small precincts in a tile",
]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the memory of a process as Linux shows it")
@pytest.mark.parametrize("name", QUICK)
def test_cost(name, tmp_path):
    done = cost(BOMBS[name](), tmp_path)
    assert (done["outcome"] == "read") == name.startswith("at the limit"), done
    assert 0 <= done["megabytes"] <= LIMIT_MEGABYTES
    assert 0 <= done["seconds"] <= LIMIT_SECONDS


def peak_of(make) -> int:
    """The most bytes that are held at once meanwhile, beyond those held before."""
    tracemalloc.start()
    try:
        make()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_picture_of_a_film_costs_little_more_than_its_bytes():
    film = Radiograph(np.full((4000, 4500), 0.5, np.float32))
    assert preview.picture(film).getextrema() == (128, 128)
    assert peak_of(lambda: preview.picture(film)) < 2.5 * film.pixels.size


@pytest.mark.parametrize(("code", "quarters"), [("turned_left", -1), ("upside_down", 2), ("turned_right", 1)])
def test_a_film_that_is_inverted_and_turned_is_set_right_in_one_copy(code, quarters):
    pixels = np.linspace(0, 1, 1_200_000, dtype=np.float32).reshape(1200, 1000)
    righted = gate.righted(Radiograph(pixels), ("inverted", code))
    assert np.array_equal(righted.pixels, 1 - np.rot90(pixels, quarters))
    assert righted.pixels.flags.c_contiguous
    assert peak_of(lambda: gate.righted(Radiograph(pixels), ("inverted", code))) < 1.1 * pixels.nbytes
