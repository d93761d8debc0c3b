import json

import numpy as np

from lungcare.film import decode, square
from tests import phantom
from train.pack import PackedLungs, open_lungs, open_pack
from train.prepare import open_prepared, prepare


def test_broken_files_and_copies_are_left_out_and_said(prepared):
    report = json.loads((prepared / "report.json").read_text())
    assert report["films"] == 59
    assert report["unreadable"] == ["Normal/broken.png"]
    assert len(report["exact_copies"]) == 1
    split, _ = open_prepared(prepared)
    assert len(split.films) == 57
    assert split.checksum == report["checksum"]


def test_lungs_found_on_other_films_do_not_outlive_them(tmp_path, monkeypatch):
    monkeypatch.setattr("train.prepare.near_pairs", lambda thumbnails: np.empty((0, 2), int))
    films = tmp_path / "films" / "normal"
    films.mkdir(parents=True)
    for number in range(12):
        (films / f"{number}.png").write_bytes(phantom.film("normal", number))
    prepare(tmp_path / "films", tmp_path / "prepared", size=64, seed=0, per_class=None, resplit=False)
    PackedLungs.of([np.ones((128, 128))] * 12).save(tmp_path / "prepared")
    assert open_lungs(tmp_path / "prepared", 12)
    prepare(tmp_path / "films", tmp_path / "prepared", size=64, seed=0, per_class=None, resplit=False)
    assert not open_lungs(tmp_path / "prepared", 12)


def test_images_in_no_folder_of_a_class_are_said_once(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("train.prepare.near_pairs", lambda thumbnails: np.empty((0, 2), int))
    for number in range(12):
        for name in ("normal", "covid"):
            (tmp_path / "films" / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / "films" / name / f"{number}.png").write_bytes(phantom.film("normal", number))
    prepare(tmp_path / "films", tmp_path / "prepared", size=64, seed=0, per_class=None, resplit=False)
    assert f"passed over, in no folder of a class: 12 images in {tmp_path / 'films' / 'covid'}" in caplog.text
    caplog.clear()
    open_prepared(tmp_path / "prepared")
    assert not caplog.text


def test_near_copies_share_a_group(prepared):
    split, _ = open_prepared(prepared)
    group = {p.film.file: p.group for p in split.films}
    assert group["Normal/near.png"] == group["Normal/04.png"]
    assert split.leaks() == []


def test_the_pack_holds_what_the_library_decodes(prepared):
    split, data = open_prepared(prepared)
    pack, rows = open_pack(prepared)
    for placed in split.films[::10]:
        pixels = decode((data / placed.film.file).read_bytes()).pixels
        packed = pack[rows[placed.film.file]]
        assert packed.dtype == np.uint8
        np.testing.assert_allclose(packed / 255, square(pixels, 64), atol=0.5 / 255 + 1e-6)
