import numpy as np
import pytest
from PIL import Image

from lungcare.conditions import CODES
from train import lungs, measure
from train.look import Looked
from train.manifest import Film
from train.point import point
from train.prepare import open_prepared
from train.split import Placed


@pytest.fixture
def outlined(tmp_path, monkeypatch):
    """Four films of which the upper left eighth is outlined, on 100 x 200 pixels: padded above and below."""
    monkeypatch.setattr(measure, "RESAMPLES", 50)
    monkeypatch.setattr(lungs, "PUBLISHED", tmp_path)
    mask = np.zeros((100, 200), bool)
    mask[:50, :50] = True
    Image.fromarray(mask).save(tmp_path / "mask.png")
    films = [Placed(Film(f"{n}", "pneumothorax", "s", mask="mask.png"), f"{n}", "test") for n in range(4)]

    def looking(row: int, column: int) -> Looked:
        influence = np.zeros((4, 8, 8, 4), np.float16)
        influence[:, row, column, CODES.index("pneumothorax")] = 1
        softmax = np.tile(np.float32([0.1, 0.1, 0.1, 0.7]), (4, 1))
        return Looked(films, softmax, np.zeros((4, 1)), influence, np.zeros(4))

    return looking, tmp_path


@pytest.mark.parametrize(("row", "column", "hit"), [(2, 0, 1), (3, 1, 1), (5, 6, 0), (0, 0, 0)])
def test_a_hit_is_a_strongest_place_in_the_outline(outlined, row, column, hit):
    """The film is the middle half of the square: its upper left corner lies a quarter of the side below the top."""
    looking, data = outlined
    told = point(looking(row, column), data, data, data)
    assert told["pointing"] == {"value": hit, "low": hit, "high": hit, "films": 4}
    assert told["area"]["value"] == pytest.approx(1 / 16, abs=0.002)
    assert told["area"]["value"] < told["random"]["value"] < 0.1
    assert "in_lungs" not in told


def test_the_weight_in_the_lungs_and_the_middle_of_a_lung(outlined, monkeypatch):
    looking, data = outlined
    found = np.zeros((4, 128, 128), bool)
    found[:, 36:60, 4:28] = True
    found[:, 36:90, 90:120] = True
    monkeypatch.setattr("train.point.lungs_on", lambda *_: found)
    told = point(looking(2, 0), data, data, data)
    assert told["in_lungs"]["value"] > told["lungs_area"]["value"]
    assert told["lung_centres"]["value"] == 0.5


def test_a_network_without_a_map_has_no_score(outlined):
    looking, data = outlined
    some = looking(0, 0)
    assert point(Looked(some.films, some.softmax, some.features, None, some.brightness), data, data, data) == {}


def test_without_a_segmenter_there_are_no_lungs(tmp_path, monkeypatch):
    monkeypatch.setattr(lungs, "PUBLISHED", tmp_path)
    assert lungs.lungs_on(tmp_path, [], tmp_path) is None


def test_a_run_without_a_segmenter_has_the_lungs_of_the_published_one(prepared, tmp_path):
    films = open_prepared(prepared)[0].films[:2]
    found = lungs.lungs_on(prepared, list(films), tmp_path)
    assert found.shape == (2, 128, 128)
    assert np.array_equal(found, lungs.lungs_on(prepared, list(films)))
