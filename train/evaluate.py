"""`python -m train evaluate`: a run -> the network to publish, measured on validation, test and official parts."""

import json
import logging
from pathlib import Path

from lungcare.bundle import NETWORK as PUBLISHED
from lungcare.bundle import Calibration, record_of
from lungcare.conditions import CODES
from lungcare.drift import reference
from lungcare.network import Network
from train.calibrate import choose_calibration, reliability
from train.certainty import choose_certainty, measure_certainty
from train.compact import save_compact
from train.fit import NETWORK, RUN
from train.inputs import network_inputs
from train.look import Looked, look_at, looked
from train.lungs import SEGMENTER
from train.manifest import DataError
from train.measure import Readings, as_interval, part_figures
from train.operate import choose_points, measure_points
from train.other import choose_other
from train.point import point
from train.prepare import open_prepared
from train.recipe import STEPS, Recipe
from train.split import Placed, Split

log = logging.getLogger(__name__)

RESULTS = "results.json"
PARTS = ("validation", "test", "official")
# Films that are none of the four conditions, to choose a rule for such films by.
CHOOSE = "choose"
# Films on which the compact network is held against the exact one.
COMPARED = 500


def evaluate(run: Path, prepared: Path, segmenter: Path = SEGMENTER) -> dict:
    """Measure the network of a run.

    Writes run/model.keras (the network as it will be published) and run/results.json with every figure; the external
    part is not looked at here, but once when the model is published. What the network makes of each film stays in
    run/looked.npz.
    segmenter: run of `python -m train segment`, for the share of the class map in the lungs; without one in it, the
    published one finds them.
    Returns the results. Raises DataError when there is no network, or the split is not the run's.
    """
    recipe, split, data = opened_on(run, prepared)
    films = films_of(split, recipe)
    validation = [p for p in films if p.part == "validation"]
    compared = validation[:: max(1, len(validation) // COMPARED)]
    inputs = network_inputs(data, compared, recipe.size)
    compacted = save_compact(
        run / NETWORK, run / PUBLISHED, lambda path: look_at(Network(path, recipe.size), compared, inputs).softmax
    )
    log.info("saved with %(mantissa_bits)d bits; largest change of a probability %(largest_change)g", compacted)

    told = looked(run, run / PUBLISHED, recipe.size, data, films)
    chosen_on = told.where(lambda p: p.part == "validation")
    groups = [p.group for p in chosen_on.films]
    chosen, calibration_folds = choose_calibration(chosen_on.softmax, chosen_on.labels, groups)
    log.info("calibration %s", chosen)
    points = choose_points(chosen_on.readings(chosen))
    certainty = choose_certainty(chosen_on.readings(chosen))
    results = {
        "trained": record_of(run / NETWORK).sha256,
        "network": record_of(run / PUBLISHED).sha256,
        "split": split.checksum,
        "compacted": compacted,
        "calibration": chosen.model_dump(),
        "calibration_folds": calibration_folds,
        "reference": reference(chosen_on.readings(chosen).probabilities.tolist()),
        "points": {code: own.model_dump() for code, own in points.items()},
        "certainty": certainty.model_dump(),
        "other": choose_other(chosen_on, told.where(lambda p: p.part == CHOOSE)),
        "parts": {},
    }
    for part in PARTS:
        own = told.where(lambda p, part=part: p.part == part)
        if own.films:
            log.info("measuring %s", part)
            readings = own.readings(chosen)
            results["parts"][part] = part_figures(readings) | {
                "calibration": calibration(own, chosen),
                "operating_points": measure_points(readings, points),
                "certainty": measure_certainty(readings, certainty),
            }
            if pointed := point(own, data, prepared, segmenter, chosen):
                results["parts"][part]["influence"] = pointed
    (run / RESULTS).write_text(json.dumps(results, indent=1))
    return results


def films_of(split: Split, recipe: Recipe) -> list[Placed]:
    """The films that a network is measured on before it is published."""
    return [p for p in split.films if p.part in (*PARTS, CHOOSE) and p.film.source not in recipe.leave_out]


def opened(run: Path) -> tuple[Recipe, str]:
    """The recipe of a run, and the checksum of its split. Raises DataError when it has no network yet."""
    if not (run / RUN).is_file() or not (run / NETWORK).is_file():
        raise DataError(f"{run} holds no trained network. Run `python -m train fit --run {run}` first.")
    described = json.loads((run / RUN).read_text())
    return Recipe.model_validate(described["recipe"]), described["split"]


def steps_of(run: Path) -> dict:
    """What each step of `train.recipe.STEPS` did to the network of a run; None of those that it did not go through."""
    described = json.loads((run / RUN).read_text())
    return {step: described.get(step) for step in STEPS}


def check_step(step: str, run: Path) -> None:
    """Raise DataError when the network of a run went through this step, or through one that comes after it."""
    steps = steps_of(run)
    for done in STEPS[STEPS.index(step) :]:
        if steps[done]:
            order = "is done once" if done == step else f"comes after `{step}`"
            raise DataError(f"{run} went through `{done}` already, which {order}.")


def opened_on(run: Path, prepared: Path) -> tuple[Recipe, Split, Path]:
    """The recipe of a run, the split in a prepared folder, and the folder of its films.

    Raises DataError when the run has no network yet, or was trained on another split.
    """
    recipe, checksum = opened(run)
    split, data = open_prepared(prepared)
    if split.checksum != checksum:
        raise DataError(f"{run} was trained on another split than that in {prepared}.")
    return recipe, split, data


def measured(run: Path) -> dict:
    """What `evaluate` found of a run's network. Raises DataError when that is nothing, or of another network."""
    results = json.loads((run / RESULTS).read_text()) if (run / RESULTS).is_file() else {}
    networks = {"trained": run / NETWORK, "network": run / PUBLISHED}
    is_of_it = all(file.is_file() and results.get(name) == record_of(file).sha256 for name, file in networks.items())
    if not is_of_it or "calibration" not in results:
        raise DataError(f"The network of {run} is not measured. Run `python -m train evaluate --run {run}` first.")
    return results


def calibration(told: Looked, chosen: Calibration) -> dict:
    """How well the probabilities hold before and after calibration, over all films and for each source."""
    before, after = told.readings(), told.readings(chosen)
    return {
        "before": reliability(before.probabilities, before.labels),
        "after": reliability(after.probabilities, after.labels),
        "before_by_source": _reliability_by_source(before),
        "by_source": _reliability_by_source(after),
    }


def _reliability_by_source(readings: Readings) -> dict:
    table = {}
    for source in sorted({p.film.source for p in readings.films}):
        own = readings.where(lambda p, source=source: p.film.source == source)
        held = reliability(own.probabilities, own.labels)
        table[source] = {name: held[name] for name in ("ece", "brier")}
    return table


def as_text(results: dict) -> str:
    """The results as a readable table."""
    lines = []
    for part, told in results["parts"].items():
        lines += [*figure_lines(part, told), *pair_lines(told["inside"])]
        for moment in ("before", "after"):
            held = told["calibration"][moment]
            lines.append(f"{'calibration ' + moment:<54}ECE {held['ece']:.3f}, Brier {held['brier']:.3f}")
        lines += ["", *decision_lines(told), "", *source_lines(told["by_source"])]
        for source, own in told["sources"].items():
            lines += figure_lines(f"{part}, {source}", own)
    return "\n".join(lines)


def figure_lines(title: str, told: dict) -> list[str]:
    """Classification report, confusion matrix, accuracy and AUC of some films."""
    lines = [f"\n== {title}: {told['films']} films", f"{'':<16}precision  recall     F1   films"]
    for name, row in told["report"].items():
        lines.append(
            f"{name:<16}{row['precision']:>9.3f}{row['recall']:>8.3f}{row['f1-score']:>7.3f}{row['support']:>8}"
        )
    lines += ["", f"{'is / read as':<16}" + "".join(f"{code:>14}" for code in CODES)]
    for code, row in zip(CODES, told["confusion"], strict=True):
        lines.append(f"{code:<16}" + "".join(f"{count:>14}" for count in row))
    lines.append("")
    for name in ("accuracy", "balanced_accuracy", "normal_or_not"):
        lines.append(f"{name:<54}{interval(told[name])}")
    return lines + [f"{'AUC ' + code:<54}{interval(figure)}" for code, figure in told["auc"].items()]


def decision_lines(told: dict) -> list[str]:
    """What the operating points, the rule for certainty and the class map reach on a part."""
    lines = []
    for code, points in told["operating_points"].items():
        for name, reached in points.items() if code != "inside" else ():
            for figure in ("sensitivity", "specificity"):
                if figure in reached:
                    lines.append(f"{f'{code}, {name}: {figure}':<54}{interval(reached[figure])}")
    for name in ("coverage", "certain", "uncertain"):
        if name in told["certainty"]:
            lines.append(
                f"{name + (': accuracy' if name != 'coverage' else ''):<54}{interval(told['certainty'][name])}"
            )
    for name, figure in told.get("influence", {}).items():
        lines.append(f"{'class map: ' + name:<54}{interval(figure)}")
    return lines


def source_lines(table: dict) -> list[str]:
    """One line for each class and source: what its films are read as."""
    lines = []
    for name, cell in table.items():
        told = interval(cell["accuracy"]) if "accuracy" in cell else ""
        read_as = " ".join(f"{code[:9]} {share:.2f}" for code, share in cell["read_as"].items())
        lines.append(f"{name:<30}{cell['films']:>5} films, read as {read_as}  {told}")
    return lines


def pair_lines(table: dict) -> list[str]:
    """One line for each disease against normal inside one source or archive."""
    return [f"{'AUC ' + name:<54}{interval(figure)}" for name, figure in table.items()]


def interval(figure: dict) -> str:
    """0.912 (0.900 to 0.923), of so many films."""
    return f"{as_interval(figure)}, {figure['films']} films"
