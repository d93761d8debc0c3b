"""POST /classify behind a gate: what is refused has a code and a sentence, and no probabilities anywhere."""

import numpy as np
import pytest

from lungcare.batch import COLUMNS, read_folder
from lungcare.conditions import CODES
from lungcare.reader import Reader
from tests import gated, phantom

CHEST = phantom.chest("tuberculosis", 302)
REFUSED = {
    "cat": (gated.cat(303), "not_a_chest_film"),
    "half": (CHEST[:, : CHEST.shape[1] // 2], "part_of_chest"),
    "two": (np.hstack([CHEST, phantom.chest("normal", 304)]), "several_in_one"),
}
TURNED = {
    "left": (np.rot90(CHEST), ["turned_left"]),
    "inverted": (1 - CHEST, ["inverted"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(gated_server, name):
    pixels, code = REFUSED[name]
    answer = gated_server.post(phantom.encode(pixels), **{"Accept-Language": "id"})
    told = answer.json()
    assert (answer.status_code, told["outcome"], told["code"], told["model"]) == (422, "refused", code, "phantom:0.0.3")
    assert told["message"]
    assert told["advice"]
    assert not any(word in answer.text for word in ("probabilities", "finding", *CODES))


@pytest.mark.parametrize("name", TURNED)
def test_set_right(gated_server, name):
    pixels, corrections = TURNED[name]
    told = gated_server.post(phantom.encode(pixels)).json()
    upright = gated_server.post(phantom.encode(CHEST)).json()
    assert (told["outcome"], told["corrections"], upright["corrections"]) == ("read", corrections, [])
    assert told["probabilities"] == pytest.approx(upright["probabilities"], abs=2e-3)


def test_batch(gated_folder, tmp_path):
    for name, (pixels, _) in (REFUSED | TURNED).items():
        (tmp_path / f"{name}.png").write_bytes(phantom.encode(pixels))
    tally = read_folder(Reader.open(gated_folder), tmp_path, tmp_path / "table.csv")
    assert tally == {"refused": len(REFUSED), "read": len(TURNED)}
    rows = [line.split(",") for line in (tmp_path / "table.csv").read_text().splitlines()]
    table = {row[0].removesuffix(".png"): dict(zip(COLUMNS, row, strict=True)) for row in rows[1:]}
    for name, (_, code) in REFUSED.items():
        assert (table[name]["outcome"], table[name]["code"]) == ("refused", code)
        assert not any(table[name][column] for column in ("finding", *CODES, "corrections"))
    for name, (_, corrections) in TURNED.items():
        assert table[name]["corrections"] == " ".join(corrections)
