"""How good drawn films are: what a network of real films makes of them, and what a network learns from them alone.

GAN-test and GAN-train (Shmelkov, Schmid and Alahari, "How good is my GAN?", ECCV 2018): the first says whether drawn
films look like their class, the second whether they hold what tells the classes of real films apart.
"""

import json
import logging
from collections import Counter
from pathlib import Path

from lungcare.bundle import open_bundle
from lungcare.conditions import CODES
from lungcare.reader import Reader
from lungcare.settings import Settings
from train.examples_page import FIDELITY, write_page
from train.fit import NETWORK, fit
from train.look import look
from train.manifest import DataError
from train.measure import Readings, accuracy, as_interval, by_source, figures, inside, with_interval
from train.prepare import ORIGIN, open_prepared, prepare
from train.recipe import Recipe
from train.split import Placed
from train.synthesize import draw_missing, judge

log = logging.getLogger(__name__)

# Seeds of the films to learn from begin here: none of these is judged or in the pool.
FIRST = 10_000
SIDE = 256
FEWEST = 10


def fidelity(
    prepared: Path, run: Path, model: str, pool: Path, unselected: int, each: int, recipe: Recipe, record: Path | None
) -> dict:
    """Judge drawn films both ways; an interrupted call goes on.

    run: that of `python -m train synthesize`; films and network stay in run/drawn-<each>, and are not made again.
    unselected: films of each class that the published model reads. each: films of each class that the recipe's network
    is trained on, a fifth of which is held back for validation and test; 0 trains none.
    record: folder that takes fidelity.json; what it said and was not measured now stays, and the page of the pool is
    written anew. Raises DataError where the generator has not learned yet, or `each` is too small.
    """
    path = record / FIDELITY if record else None
    told = json.loads(path.read_text()) if path and path.is_file() else {}
    if each:
        told["trained_on_drawn"] = trained_on_drawn(prepared, run, each, recipe)
    told["judged"] = judged(run, model, unselected)
    if path:
        path.write_text(json.dumps(told, indent=1) + "\n")
        write_page(record, pool)
    return told


def judged(run: Path, model: str, unselected: int) -> dict:
    """How many unselected drawn films of each class a bundle's gate accepts and its network reads as that class."""
    reader = Reader(open_bundle(model), Settings.model_construct())
    classes = {}
    for code in CODES:
        folder = run / "unselected" / code
        draw_missing(run, code, folder, range(unselected))
        own = judge(reader, code, folder, range(unselected))
        classes[code] = {"drawn": own.drawn, "accepted": own.accepted, "read_as": own.read_as}
        log.info("%s: %s", code, classes[code])
    return {"model": reader.tag, "classes": classes}


def trained_on_drawn(prepared: Path, run: Path, each: int, recipe: Recipe) -> dict:
    """What a network that has seen drawn films alone makes of the real ones of the test part."""
    if each < FEWEST:
        raise DataError(f"--each {each} leaves no film to hold back; at least {FEWEST} of each class are needed, or 0.")
    folder = run / f"drawn-{each}"
    for code in CODES:
        log.info("drawing %d films of %s", each, code)
        draw_missing(run, code, folder / "films" / code, range(FIRST, FIRST + each))
    if not (folder / "prepared" / ORIGIN).is_file():
        prepare(folder / "films", folder / "prepared", SIDE, seed=0, per_class=None, resplit=False)
    fit(recipe, folder / "prepared", folder / "fit", resume=True)

    def readings(split_folder: Path) -> Readings:
        split, data = open_prepared(split_folder)
        return look(folder / "fit" / NETWORK, recipe.size, data, _test(split.films)).readings()

    drawn_split, _ = open_prepared(folder / "prepared")
    count = Counter(p.film.label for p in drawn_split.films if p.part == "train")
    real = readings(prepared)
    return {
        "recipe": recipe.model_dump(mode="json"),
        "drawn_films": {code: count[code] for code in CODES},
        "drawn": with_interval(readings(folder / "prepared"), accuracy),
        "test": figures(real) | {"by_source": by_source(real), "inside": inside(real)},
    }


def as_text(told: dict) -> str:
    """The figures in a few lines."""
    lines = [
        f"{code:<14}{own['drawn']:>5} drawn, {own['accepted']:>5} accepted by the gate, {own['read_as']:>5} read as it"
        for code, own in told["judged"]["classes"].items()
    ]
    trained = told.get("trained_on_drawn")
    if trained:
        for title, figure in (
            ("drawn films that it did not see, accuracy", trained["drawn"]),
            ("real films of the test part, balanced accuracy", trained["test"]["balanced_accuracy"]),
        ):
            lines.append(f"{title}: {as_interval(figure)}")
    return "\n".join(lines)


def _test(films: tuple[Placed, ...]) -> list[Placed]:
    return [p for p in films if p.part == "test"]
