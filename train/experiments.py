"""`python -m train experiments depth|tuning`: the thesis's tables, run again cell by cell."""

import csv
import json
import logging
from dataclasses import dataclass
from pathlib import Path

import keras
from PIL import Image

from train.document import write_experiments
from train.fit import HISTORY, NETWORK, fit
from train.leave_out import DOCS
from train.look import look
from train.manifest import DataError
from train.measure import figures
from train.pack import open_pack
from train.prepare import open_prepared
from train.recipe import Recipe, read_recipe
from train.split import Placed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cell:
    """One cell of a table: what it sets, and with which seed."""

    table: str
    name: str
    seed: int
    blocks: int
    batch: int
    size: int

    @property
    def run(self) -> str:
        """Name of its run and of its result file."""
        return f"{self.table}-{self.name}-seed{self.seed}"

    def recipe(self, views: int, epochs: int) -> Recipe:
        """The thesis's recipe with this cell's settings; every cell sees `views` films an epoch."""
        settings = {"blocks": self.blocks, "batch": self.batch, "sizes": [[0, self.size]], "seed": self.seed}
        return read_recipe("thesis-cnn4", **settings, steps=views // self.batch, epochs=epochs)


def cells(table: str, seeds: int) -> list[Cell]:
    """The cells of a table, first all with the first seed."""
    if table == "depth":
        settings = [(str(blocks), blocks, 32, 240) for blocks in range(1, 6)]
    else:
        settings = [(f"{batch}-{size}", 4, batch, size) for size in (240, 480, 640) for batch in (8, 16, 32)]
    return [Cell(table, name, seed, *values) for seed in range(seeds) for name, *values in settings]


def experiments(table: str, prepared: Path, runs: Path, seeds: int, views: int, epochs: int, docs: Path = DOCS) -> None:
    """Run the cells of a table that have no result yet; an interrupted cell goes on where it was.

    Writes docs/results/experiments/<run>.json for each, and docs/EXPERIMENTS.md after each.
    Raises DataError when the packed films are smaller than a cell wants them.
    """
    results = docs / "results" / "experiments"
    results.mkdir(parents=True, exist_ok=True)
    for cell in cells(table, seeds):
        path = results / f"{cell.run}.json"
        if path.is_file():
            log.info("%s is done", cell.run)
            continue
        log.info("%s", cell.run)
        told = run_cell(cell, prepared, runs / cell.run, views, epochs)
        path.write_text(json.dumps(told, indent=1) + "\n")
        write_experiments(docs / "results", docs / "EXPERIMENTS.md")


def run_cell(cell: Cell, prepared: Path, run: Path, views: int, epochs: int) -> dict:
    """Train one cell and measure it on the test part."""
    side = open_pack(prepared)[0].shape[1]
    split, data = open_prepared(prepared)
    longest = _longest_sides(data, [p for p in split.films if p.part == "train"])
    if side < min(cell.size, max(longest)):
        raise DataError(
            f"The films in {prepared} are packed at {side} px, and the cell {cell.run} wants {cell.size}. "
            f"Run `python -m train prepare --data {data} --size {max(longest)} --per-class 2500 --out FOLDER` first."
        )
    recipe = cell.recipe(views, epochs)
    fit(recipe, prepared, run, resume=True)
    readings = look(run / NETWORK, recipe.size, data, [p for p in split.films if p.part == "test"]).readings()
    with (run / HISTORY).open(newline="") as lines:
        history = [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(lines)]
    return {
        "table": cell.table,
        "cell": cell.name,
        "seed": cell.seed,
        "recipe": recipe.model_dump(mode="json"),
        "films_an_epoch": recipe.steps * recipe.batch,
        "parameters": keras.models.load_model(run / NETWORK, compile=False).count_params(),
        "seconds_an_epoch": sorted(row["seconds"] for row in history)[len(history) // 2],
        "enlarged": round(sum(side < cell.size for side in longest) / len(longest), 4),
        "history": history,
        "test": figures(readings),
    }


def _longest_sides(data: Path, films: list[Placed]) -> list[int]:
    """Longest side of each film's file, in pixels."""
    sides = []
    for placed in films:
        with Image.open(data / placed.film.file) as image:
            sides.append(max(image.size))
    return sides
