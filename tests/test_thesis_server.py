"""The thesis's way to serve, as the benchmarks run it: it has to be a fair one."""

import io

import numpy as np
import pytest
from PIL import Image

from lungcare.conditions import CODES
from tests import phantom
from tests.conftest import SIZE

pytest.importorskip("flask", reason="the benchmarks' packages are not installed: scripts/environment.sh bench")

from benchmarks import thesis_server


def test_it_says_what_the_network_says_of_a_film_of_its_size(bundle_folder, reader, tmp_path):
    film = phantom.encode(phantom.chest("pneumonia", 5, SIZE, SIZE))
    client = thesis_server.app(thesis_server.save_h5(bundle_folder / "model.keras", tmp_path)).test_client()
    answer = client.post("/classify", data={"film": (io.BytesIO(film), "film.png")})
    pixels = np.array(Image.open(io.BytesIO(film)), np.float32)[np.newaxis, ..., np.newaxis]
    shares = answer.json["probabilities"]
    assert [shares[code] for code in CODES] == pytest.approx(reader.network(pixels)[0].tolist(), abs=1e-5)
    assert answer.json["finding"] == max(shares, key=shares.get)
