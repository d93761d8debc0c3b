"""`python -m train compare`: what the networks of several runs make of the validation part, to choose between them."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from lungcare.conditions import CODES
from lungcare.network import Network
from train.audit import changed, grafted, stratified, without_lungs
from train.augment import Chest, Geometry, transplant
from train.collapse import collapsed, folded
from train.document import write_experiments
from train.evaluate import opened_on, steps_of
from train.fit import HISTORY, NETWORK
from train.halves import LEFT, RIGHT, graftable
from train.look import look_at
from train.lungs import packed_lungs
from train.measure import Readings, auc_of, balanced_accuracy, with_interval
from train.pack import PackedLungs, open_pack, squares
from train.prepare import open_prepared
from train.split import Placed

log = logging.getLogger(__name__)

FILMS_OF_A_CLASS = 150
TRIED = "tried.json"


def compare(runs: list[Path], prepared: Path, results: Path = Path("docs/results")) -> dict:
    """Judge the network of each run on films of the validation part alone; the runs are added to results/tried.json.

    For each run: balanced_accuracy; cells, the mean over class and source of the share read rightly; lowest_auc of the
    four classes; and balanced accuracies that tell what it reads: resaved, lungs_blanked, only_lungs, and transplanted,
    lungs in the body of another class's film, with body_followed, the share of those that are read as the body's class.
    grafted and archive_followed: lungs with and without a pneumothorax in normal films, see `train.audit.grafted`.
    drawn: AUC of a pneumothorax drawn into normal films against a fold of skin in the same place, see `train.collapse`.
    The lungs are those of `train.lungs.packed_lungs`, which may raise DataError.
    """
    split, _ = open_prepared(prepared)
    films = [p for p in split.films if p.part == "validation"]
    pack, rows = open_pack(prepared)
    lungs = packed_lungs(prepared)
    path = results / TRIED
    tried = json.loads(path.read_text()) if path.is_file() else {}
    for run in runs:
        recipe, _, _ = opened_on(run, prepared)
        network = Network(run / NETWORK, recipe.size)
        tried[run.name] = {
            "recipe": recipe.model_dump(mode="json"),
            **steps_of(run),
            "packed": pack.shape[1],
            "epochs": len((run / HISTORY).read_text().splitlines()) - 1,
            **_figures(network, recipe.size, films, pack, np.array([rows[p.film.file] for p in films]), lungs),
            **_grafted(network, films, prepared, lungs),
            **_drawn(network, recipe.size, films, pack, rows, lungs),
        }
        log.info("%s %s", run.name, {name: f["value"] for name, f in tried[run.name].items() if _is_figure(f)})
    path.write_text(json.dumps(tried, indent=1) + "\n")
    write_experiments(results, results.parent / "EXPERIMENTS.md")
    return tried


def _figures(
    network: Network, size: int, films: list[Placed], pack: np.ndarray, rows: np.ndarray, lungs: PackedLungs
) -> dict:
    """Figures of one network. rows: of the films in the pack."""
    whole = look_at(network, films, squares(pack[rows], size)).readings()
    some = stratified(films, FILMS_OF_A_CLASS)
    row_of = dict(zip((p.film.file for p in films), rows, strict=True))
    chosen = [row_of[p.film.file] for p in some]
    masks = np.stack([lungs.mask(row) for row in chosen]).astype(bool)
    inputs = squares(pack[chosen], size)
    now = {"resaved": changed(inputs, "resaved"), **without_lungs(inputs, masks)}
    lowest = min(CODES, key=lambda code: auc_of(code)(whole, np.ones(len(films))))
    return {
        "balanced_accuracy": with_interval(whole, balanced_accuracy),
        "cells": with_interval(whole, _cells),
        "lowest_auc": with_interval(whole, auc_of(lowest)),
        **{
            name: with_interval(look_at(network, some, inputs).readings(), balanced_accuracy)
            for name, inputs in now.items()
        },
        **_transplanted(network, size, some, pack, np.array(chosen), lungs),
    }


def _cells(readings: Readings, weight: np.ndarray) -> float:
    """Mean over class and source of the share read rightly."""
    cells = np.array([f"{p.film.label}/{p.film.source}" for p in readings.films])
    right = readings.findings == readings.labels
    shares = [np.average(right[own], weights=weight[own]) for c in set(cells) if weight[own := cells == c].any()]
    return float(np.mean(shares))


def _transplanted(
    network: Network, size: int, films: list[Placed], pack: np.ndarray, rows: np.ndarray, lungs: PackedLungs
) -> dict:
    """Lungs in bodies of films of another class, drawn at random."""
    rng = np.random.default_rng(0)
    boxes = [lungs.box(row) for row in rows]
    labels = np.array([CODES.index(p.film.label) for p in films])
    own, body = [], []
    for index in range(len(films)):
        others = [o for o in np.flatnonzero(labels != labels[index]) if boxes[o]]
        if boxes[index] and others:
            own.append(index)
            body.append(int(rng.choice(others)))
    chests = {i: Chest(pack[rows[i]], lungs.mask(rows[i]), boxes[i]) for i in {*own, *body}}
    inputs = [transplant(chests[i], chests[b], size, Geometry(), rng) for i, b in zip(own, body, strict=True)]
    seen = look_at(network, [films[i] for i in own], np.stack(inputs)[..., np.newaxis].astype(np.float32)).readings()

    def body_followed(readings: Readings, weight: np.ndarray) -> float:
        return float(np.average(readings.findings == labels[body], weights=weight))

    return {
        "transplanted": with_interval(seen, balanced_accuracy),
        "body_followed": with_interval(seen, body_followed),
    }


def _grafted(network: Network, films: list[Placed], prepared: Path, lungs: PackedLungs) -> dict:
    """Lungs with and without a pneumothorax in normal films; {} where there are none."""
    _, rows = open_pack(prepared)
    told = grafted(
        network,
        prepared,
        graftable(films),
        lambda some: np.array([lungs.mask(rows[p.film.file]) for p in some]),
    )
    return {"grafted": told["auc"], "archive_followed": told["archive_followed"]} if told else {}


def _drawn(
    network: Network, size: int, films: list[Placed], pack: np.ndarray, rows: dict[str, int], lungs: PackedLungs
) -> dict:
    """A pneumothorax and a fold of skin, each drawn into the same normal films; {} where there are none."""
    normal = [p for p in films if p.film.label == "normal"]
    some = [normal[i] for i in np.random.default_rng(0).permutation(len(normal))[: 2 * FILMS_OF_A_CLASS]]
    named, made = [], []
    for number, placed in enumerate(some):
        row, half = rows[placed.film.file], (LEFT, RIGHT)[number % 2]
        for draw, label in ((collapsed, "pneumothorax"), (folded, "normal")):
            drawn = draw(pack[row], lungs.mask(row), half, np.random.default_rng(number))
            if drawn is not None:
                named.append(replace(placed, film=replace(placed.film, label=label)))
                made.append(drawn.film)
    if not made:
        return {}
    seen = look_at(network, named, squares(np.stack(made), size)).readings()
    return {"drawn": with_interval(seen, auc_of("pneumothorax"))}


def _is_figure(told: object) -> bool:
    return isinstance(told, dict) and "value" in told
