"""`python -m train experiments depth|tuning|doubts|beside`: the thesis's tables, and what they are worth."""

import csv
import fcntl
import json
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from lungcare.bundle import MODELS, Bundle, Calibration
from lungcare.cores import cores
from lungcare.network import Network, load_network
from train.audit import without_lungs
from train.cells import BESIDE, READER, THESIS
from train.document import write_experiments
from train.fit import HISTORY, NETWORK, fit
from train.inputs import network_inputs
from train.leave_out import DOCS
from train.look import UNCALIBRATED, look, look_at
from train.lungs import lungs_on
from train.manifest import DataError
from train.measure import accuracy, figures, with_interval
from train.pack import open_pack
from train.prepare import ORIGIN, SPLIT, open_prepared
from train.recipe import Recipe, read_recipe
from train.split import NOWHERE, Placed, Split
from train.split import write as write_split

log = logging.getLogger(__name__)

# Left out together, one collection for each of two diseases and both with normal films of their own. Shenzhen's is a
# hospital of its own; of the other's archive rsna_128 stays in. No pneumothorax can be left out: all of ours come from
# that archive.
UNSEEN = ("rsna_equalised", "shenzhen")
# Of the copies of the films that are tested, so many are trained on where every film is in the set twice.
TRAINED_TWINS = 0.8
# The cells have few steps: averages of batch normalisation that keep up.
MOMENTUM = 0.9


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
        return read_recipe(
            "thesis-cnn4",
            blocks=self.blocks,
            batch=self.batch,
            sizes=[[0, self.size]],
            steps=views // self.batch,
            epochs=epochs,
            norm_momentum=MOMENTUM,
            validate_films=200,
            leave_out=UNSEEN if self.name == "unseen" else (),
            seed=self.seed,
        )


def cells(table: str, seeds: int) -> list[Cell]:
    """The cells of a table, first all with the first seed."""
    if table == "depth":
        settings = [(str(blocks), blocks, 32, 240) for blocks in range(1, 6)]
    elif table == "doubts":
        settings = [(name, 4, 32, 240) for name in ("unseen", "twins")]
    else:
        settings = [(f"{batch}-{size}", 4, batch, size) for size in (240, 480, 640) for batch in (8, 16, 32)]
    return [Cell(table, name, seed, *values) for seed in range(seeds) for name, *values in settings]


def experiments(table: str, prepared: Path, runs: Path, seeds: int, views: int, epochs: int, docs: Path = DOCS) -> None:
    """Run the cells of a table that have no result yet; an interrupted cell goes on where it was.

    Several may run at once: a cell that another process is at is passed over.

    Writes docs/results/experiments/<run>.json for each, and docs/EXPERIMENTS.md after each.
    Raises DataError when the packed films are smaller than a cell wants them.
    """
    results = docs / "results" / "experiments"
    results.mkdir(parents=True, exist_ok=True)
    for cell in cells(table, seeds):
        path = results / f"{cell.run}.json"
        with _alone(runs / cell.run) as is_ours:
            if path.is_file() or not is_ours:
                log.info("%s is done, or another process is at it", cell.run)
                continue
            log.info("%s", cell.run)
            told = run_cell(cell, prepared, runs / cell.run, views, epochs)
            path.write_text(json.dumps(told, indent=1) + "\n")
        write_experiments(docs / "results", docs / "EXPERIMENTS.md")


@contextmanager
def _alone(run: Path) -> Iterator[bool]:
    """Keep other processes from a run, in the block. False where one is at it already."""
    run.mkdir(parents=True, exist_ok=True)
    with (run / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


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
    trained_on = twinned(prepared, run / "films", cell.seed) if cell.name == "twins" else prepared
    fit(recipe, trained_on, run, resume=True)
    test = [p for p in split.films if p.part == "test" and p.film.source not in recipe.leave_out]
    with (run / HISTORY).open(newline="") as lines:
        history = [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(lines)]
    told = {
        "table": cell.table,
        "cell": cell.name,
        "seed": cell.seed,
        "recipe": recipe.model_dump(mode="json"),
        "films_an_epoch": recipe.steps * recipe.batch,
        "parameters": load_network(run / NETWORK).count_params(),
        # The quickest: others may have waited for the processor, or slept.
        "seconds_an_epoch": min(row["seconds"] for row in history),
        "cores": cores(),
        "enlarged": round(sum(side < cell.size for side in longest) / len(longest), 4),
        "history": history,
        "test": figures(look(run / NETWORK, recipe.size, data, test).readings()),
    }
    if recipe.leave_out:
        kept = [p for p in split.films if p.part in ("train", "validation", "test")]
        unseen = [p for p in kept if p.film.source in recipe.leave_out]
        told["unseen"] = figures(look(run / NETWORK, recipe.size, data, unseen).readings())
    if cell.table == "depth":
        told |= _lungs_blanked(run / NETWORK, recipe.size, prepared, data, test)
    return told


def beside(prepared: Path, docs: Path = DOCS, models: Path = MODELS) -> dict:
    """The published network of the thesis and the published reader on the same test films, and outside.

    Writes docs/results/experiments/beside.json, returns what it says, and docs/EXPERIMENTS.md.
    """
    split, data = open_prepared(prepared)
    test = [p for p in split.films if p.part == "test"]
    told = {"films": len(test), "models": {}}
    for name in (THESIS, READER):
        bundle = Bundle(models / name)
        size, calibration = bundle.card.input.size, bundle.card.calibration
        readings = look(bundle.network, size, data, test).readings(calibration)
        external = bundle.card.metrics.get("external", {}).get("by_source", {})
        told["models"][name] = {
            "tag": bundle.card.tag,
            "test": {"accuracy": with_interval(readings, accuracy)},
            **_lungs_blanked(bundle.network, size, prepared, data, test, calibration),
            "external": {source: cell["accuracy"] for source, cell in external.items() if "accuracy" in cell},
        }
    results = docs / "results"
    (results / "experiments").mkdir(parents=True, exist_ok=True)
    (results / "experiments" / BESIDE).write_text(json.dumps(told, indent=1) + "\n")
    write_experiments(results, docs / "EXPERIMENTS.md")
    return told


def twinned(prepared: Path, folder: Path, seed: int) -> Path:
    """Prepared films as though each had been in the set twice before the split: the same, with twins in training.

    Of the films of validation and test, TRAINED_TWINS are in the training part too, in the place of others, so that its
    size stays. Returns `folder`.
    """
    split, _ = open_prepared(prepared)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("films.npy", "films.json", ORIGIN):
        if not (folder / name).exists():
            (folder / name).symlink_to((prepared / name).resolve())
    draw = random.Random(f"{seed} twins")
    judged = [p for p in split.films if p.part in ("validation", "test")]
    trained = [index for index, p in enumerate(split.films) if p.part == "train"]
    count = min(round(TRAINED_TWINS * len(judged)), len(trained))
    twins, gone = [replace(p, part="train") for p in draw.sample(judged, count)], set(draw.sample(trained, count))
    films = [replace(p, part=NOWHERE) if index in gone else p for index, p in enumerate(split.films)]
    write_split(Split((*films, *twins)), folder / SPLIT)
    return folder


def _lungs_blanked(
    network: Path, size: int, prepared: Path, data: Path, films: list[Placed], calibration: Calibration = UNCALIBRATED
) -> dict:
    """{"lungs_blanked": {"accuracy"}} of these films, by the published segmenter; nothing where there is none."""
    lungs = lungs_on(prepared, films)
    if lungs is None:
        return {}
    blanked = without_lungs(network_inputs(data, films, size), lungs)["lungs_blanked"]
    readings = look_at(Network(network, size), films, blanked).readings(calibration)
    return {"lungs_blanked": {"accuracy": with_interval(readings, accuracy)}}


def _longest_sides(data: Path, films: list[Placed]) -> list[int]:
    """Longest side of each film's file, in pixels."""
    sides = []
    for placed in films:
        with Image.open(data / placed.film.file) as image:
            sides.append(max(image.size))
    return sides
