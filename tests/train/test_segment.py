import csv
import io

import numpy as np
import pytest
from PIL import Image

from lungcare.lungs import SIDE
from tests import phantom
from train.manifest import DataError
from train.pack import open_lungs, open_pack
from train.prepare import prepare
from train.segment import build, segment


@pytest.fixture
def with_lungs(tmp_path):
    """Forty prepared phantoms, their lungs drawn beside them."""
    y, x = np.mgrid[-1:1:320j, -1:1:288j]
    lungs = sum(np.hypot((x - side * 0.42) / 0.3, y / 0.68) < 1 for side in (-1, 1)).astype(bool)
    stream = io.BytesIO()
    Image.fromarray(lungs).save(stream, "PNG")
    (tmp_path / "lungs.png").write_bytes(stream.getvalue())
    with (tmp_path / "manifest.csv").open("w", newline="") as lines:
        rows = csv.writer(lines)
        rows.writerow(["file", "label", "source", "role", "lung_mask"])
        for number in range(40):
            look, role = phantom.LOOKS[number % 4], "external" if number > 35 else "internal"
            (tmp_path / f"{number}.png").write_bytes(phantom.film(look, number))
            rows.writerow([f"{number}.png", look, "drawn", role, "lungs.png"])
    prepare(tmp_path, tmp_path / "prepared", size=128, seed=0, per_class=None, resplit=False)
    return tmp_path / "prepared"


def test_it_learns_to_find_lungs_and_says_how_well(with_lungs, tmp_path):
    told = segment(with_lungs, tmp_path / "run", epochs=120)
    assert (tmp_path / "run" / "lungs.keras").is_file()
    assert set(told["dice"]) <= {"test", "drawn"}
    assert told["dice"]["drawn"]["mean"] > 0.5
    count = len(open_pack(with_lungs)[0])
    lungs = open_lungs(with_lungs, count)
    found = next(box for row in range(count) if (box := lungs.box(row)))
    assert 0 <= found.left < 0.5 < found.right <= 1


def test_the_network_is_small():
    network = build()
    assert network.output_shape == (None, SIDE, SIDE, 1)
    assert network.count_params() * 4 < 1_000_000


def test_without_drawn_lungs_it_says_so(prepared, tmp_path):
    with pytest.raises(DataError, match="lung_mask"):
        segment(prepared, tmp_path / "run", epochs=1)
