"""Bombs cost no more than 300 MB and 2 seconds of the processor. All of them: python -m benchmarks.costs"""

import sys
import tracemalloc

import numpy as np
import pytest

from benchmarks.costs import LIMIT_MEGABYTES, LIMIT_SECONDS, cost
from lungcare import preview
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


def test_the_picture_of_a_film_costs_little_more_than_its_bytes():
    film = Radiograph(np.full((4000, 4500), 0.5, np.float32))
    tracemalloc.start()
    try:
        shown = preview.picture(film)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert shown.getextrema() == (128, 128)
    assert peak < 2.5 * film.pixels.size
