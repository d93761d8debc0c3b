"""The thesis's way to serve, as the benchmarks run it: it has to be a fair one."""

import io

import numpy as np
import pytest

from lungcare.conditions import CODES
from tests import phantom

pytest.importorskip("flask", reason="the benchmarks' packages are not installed: scripts/environment.sh bench")

from benchmarks import thesis_server


def test_it_says_what_the_network_says_of_a_square_film(bundle_folder, reader, tmp_path):
    film = phantom.encode(phantom.chest("pneumonia", 5, 320, 320))
    client = thesis_server.app(thesis_server.save_h5(bundle_folder / "model.keras", tmp_path)).test_client()
    answer = client.post("/classify", data={"film": (io.BytesIO(film), "film.png")})
    expected = reader.network(reader.prepare(film).pixels[np.newaxis])[0]
    shares = answer.json["probabilities"]
    # Pillow scales the whole levels of the file, ours floats.
    assert [shares[code] for code in CODES] == pytest.approx(expected.tolist(), abs=0.02)
    assert answer.json["finding"] == max(shares, key=shares.get)
