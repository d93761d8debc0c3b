import csv
import json

import numpy as np
import pytest

from lungcare import drift
from lungcare.__main__ import main
from lungcare.batch import COLUMNS
from lungcare.calibration import reweighted
from lungcare.conditions import CODES

MODEL = "phantom:0.0.1"


def drawn(films: int, seed: int, favoured: int = 0) -> np.ndarray:
    """Probabilities of some films; `favoured` has them raised for one condition."""
    random = np.random.default_rng(seed)
    raised = np.ones(len(CODES)) * 0.4
    raised[favoured] *= 3
    return random.dirichlet(raised, films)


def card(folder, probabilities=None) -> object:
    path = folder / "card.json"
    metrics = {} if probabilities is None else {"reference": drift.reference(probabilities.tolist())}
    path.write_text(json.dumps({"name": "phantom", "version": "0.0.1", "metrics": metrics}))
    return path


def table(folder, probabilities, refused: int = 0, model: str = MODEL, prevalence=(0.25,) * 4) -> object:
    path = folder / "out.csv"
    weighted = reweighted(np.asarray(probabilities), np.asarray(prevalence))
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        for number, row in enumerate(weighted):
            numbers = dict(zip(CODES, row, strict=True), prevalence=" ".join(map(str, prevalence)))
            writer.writerow({"file": number, "outcome": "read", "finding": "normal", "model": model, **numbers})
        for number in range(refused):
            writer.writerow({"file": f"r{number}", "outcome": "refused", "code": "too_dark", "model": model})
    return path


def listed(folder) -> object:
    """A file of JSON that is no object."""
    path = folder / "card.json"
    path.write_text("[1, 2]")
    return path


def told(path, probability: str) -> object:
    """A table with a film whose probabilities are that."""
    with path.open("a", newline="") as stream:
        row = {"file": "z", "outcome": "read", "model": MODEL, "prevalence": "1 1 1 1"}
        csv.DictWriter(stream, COLUMNS).writerow(row | dict.fromkeys(CODES, "0.25") | {CODES[1]: probability})
    return path


def uneven(path, cells: int) -> object:
    """A table with a row of so many cells before its last one."""
    *rows, last = path.read_text().splitlines()
    path.write_text("\n".join([*rows, ",".join(["z"] * cells), last]) + "\n")
    return path


def test_a_row_that_was_cut_off_is_left_out(tmp_path):
    reference, out = card(tmp_path, drawn(200, 1)), table(tmp_path, drawn(99, 1))
    with out.open("a") as stream:
        stream.write("z,read,,normal,,0.25,0.2")
    assert drift.compare(reference, out).films == 99


def test_a_prevalence_is_no_change_of_the_films(tmp_path):
    own = (0.9, 0.06, 0.03, 0.01)
    found = drift.compare(card(tmp_path, drawn(2000, 1)), table(tmp_path, drawn(500, 2), prevalence=own))
    assert not any(change.has_moved for change in found.changes)
    plain = drift.compare(card(tmp_path, drawn(2000, 1)), table(tmp_path, drawn(500, 2)))
    assert [change.index for change in found.changes] == pytest.approx([change.index for change in plain.changes])


def test_the_reference_is_in_tenths():
    kept = drift.reference(drawn(1000, 1).tolist())
    assert kept["films"] == 1000
    for code in CODES:
        told = kept["probabilities"][code]
        assert len(told["shares"]) == len(told["edges"]) + 1 == 10
        assert told["shares"] == pytest.approx([0.1] * 10, abs=0.01)


def test_the_index_is_that_of_the_definition():
    assert drift.stability_index([0.5, 0.5], [0.5, 0.5]) == 0
    assert drift.stability_index([0.5, 0.5], [0.9, 0.1]) == pytest.approx(0.4 * np.log(1.8) - 0.4 * np.log(0.2))
    assert drift.stability_index([1, 0], [0, 1]) < 20


@pytest.mark.parametrize("films", [60, 400, 5000])
def test_films_of_the_same_kind_do_not_move(tmp_path, films):
    found = drift.compare(card(tmp_path, drawn(2000, 1)), table(tmp_path, drawn(films, 2)))
    assert not [change for change in found.changes if change.has_moved]


def test_films_of_another_kind_do(tmp_path, capsys):
    reference, out = card(tmp_path, drawn(2000, 1)), table(tmp_path, drawn(300, 2, favoured=2), refused=100)
    found = drift.compare(reference, out)
    assert {change.condition for change in found.changes if change.has_moved} >= {"normal", "tuberculosis"}
    assert (found.films, found.refused, found.reference_films) == (300, 0.25, 2000)
    assert main(["drift", "--reference", str(reference), str(out)]) == 1
    printed = capsys.readouterr().out
    assert "25.0% not read" in printed
    assert "moved" in printed


def test_a_condition_that_is_never_likely_has_fewer_bins(tmp_path):
    flat = np.tile([1.0, 0.0, 0.0, 0.0], (100, 1))
    found = drift.compare(card(tmp_path, flat), table(tmp_path, flat))
    assert [change.index for change in found.changes] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda folder: (card(folder), table(folder, drawn(99, 1))), "keeps no reference"),
        (lambda folder: (folder / "none.json", table(folder, drawn(99, 1))), "is no card"),
        (lambda folder: (card(folder, drawn(99, 1)), folder / "none.csv"), "cannot be read"),
        (lambda folder: (card(folder, drawn(99, 1)), card(folder, drawn(99, 1))), "is no table"),
        (lambda folder: (card(folder, drawn(99, 1)), table(folder, drawn(9, 1))), "at least 50"),
        (lambda folder: (card(folder, drawn(99, 1)), table(folder, drawn(99, 1), model="x:1.0.0")), "x:1.0.0"),
        (lambda folder: (listed(folder), table(folder, drawn(99, 1))), "is no card"),
        (lambda folder: (card(folder, drawn(99, 1)), table(folder, np.full((99, 4), np.nan))), "probabilities"),
        (lambda folder: (card(folder, drawn(99, 1)), told(table(folder, drawn(99, 1)), "much")), "probabilities"),
        (lambda folder: (card(folder, drawn(99, 1)), told(table(folder, drawn(99, 1)), "inf")), "probabilities"),
        (lambda folder: (card(folder, drawn(99, 1)), told(table(folder, drawn(99, 1)), "-0.1")), "probabilities"),
        (lambda folder: (card(folder, drawn(99, 1)), uneven(table(folder, drawn(99, 1)), 3)), "shorter"),
        (lambda folder: (card(folder, drawn(99, 1)), uneven(table(folder, drawn(99, 1)), 30)), "longer"),
    ],
)
def test_what_cannot_be_compared_is_said(tmp_path, capsys, made, said):
    reference, out = made(tmp_path)
    assert main(["drift", "--reference", str(reference), str(out)]) == 2
    assert said in capsys.readouterr().err


def test_a_key_is_printed_with_its_entry(capsys):
    assert main(["key"]) == 0
    assert "sha256:" in capsys.readouterr().out
