"""`python -m train audit`: does the network read the lungs, or where a film comes from? A number for each shortcut."""

import io
import json
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lungcare.bundle import MODELS, NETWORK, Calibration
from lungcare.conditions import CODES
from lungcare.network import Network
from train.evaluate import films_of, measured, opened_on
from train.halves import graftable, grafts
from train.inputs import network_inputs
from train.look import UNCALIBRATED, Looked, look_at, looked
from train.lungs import SEGMENTER, lungs_on
from train.manifest import Film
from train.measure import (
    Readings,
    accuracy,
    as_interval,
    auc_against_normal,
    auc_of,
    balanced_accuracy,
    with_interval,
)
from train.model_card import write_model_card
from train.pack import open_pack
from train.prepare import open_prepared
from train.split import Placed

log = logging.getLogger(__name__)

FILMS_OF_A_CLASS = 100
# Sources with fewer films tell nothing of whether they can be guessed.
FEW = 10
FOLDS = 5
CHANCE = 1 / len(CODES)

# Shares of the side of the film.
FRAME = 0.12
CORNER = 0.22
BLUR = 0.06
FINE = 0.02
MARGIN = 0.02

# Of the films that are saved anew.
JPEG_QUALITY = 50


def whole(film: np.ndarray) -> np.ndarray:
    """The film as it is. All changes take and give float32 (rows, columns), 0 to 255, without the square's padding."""
    return film


def only_borders(film: np.ndarray) -> np.ndarray:
    """The middle blackened: an outer frame of an eighth of the side is left."""
    changed = film.copy()
    rows, columns = (round(FRAME * length) for length in film.shape)
    changed[rows : film.shape[0] - rows, columns : film.shape[1] - columns] = 0
    return changed


def corners_masked(film: np.ndarray) -> np.ndarray:
    """Black boxes over the four corners, where letters and marks mostly stand."""
    changed = film.copy()
    rows, columns = (round(CORNER * length) for length in film.shape)
    for vertical in (slice(rows), slice(-rows, None)):
        for horizontal in (slice(columns), slice(-columns, None)):
            changed[vertical, horizontal] = 0
    return changed


def blurred(film: np.ndarray) -> np.ndarray:
    """So blurred that ribs and vessels are gone: what is left is brightness and outline."""
    return ndimage.gaussian_filter(film, BLUR * max(film.shape))


def only_fine(film: np.ndarray) -> np.ndarray:
    """What a slight blur takes away, on even grey: edges, grain and sharpening, no brightness."""
    return np.clip(127 + film - ndimage.gaussian_filter(film, FINE * max(film.shape)), 0, 255)


def resaved(film: np.ndarray) -> np.ndarray:
    """Saved as a JPEG of middling quality, as it is, and opened again."""
    file = io.BytesIO()
    Image.fromarray((film + 0.5).astype(np.uint8)).save(file, "JPEG", quality=JPEG_QUALITY)
    return np.asarray(Image.open(file), np.float32)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "whole": whole,
    "resaved": resaved,
    "corners_masked": corners_masked,
    "only_fine": only_fine,
    "blurred": blurred,
    "only_borders": only_borders,
}


def audit(run: Path, prepared: Path, name: str, segmenter: Path = SEGMENTER, models: Path = MODELS) -> dict:
    """Audit the network of a measured run.

    segmenter: run of `python -m train segment`; without one in it, the published one finds the lungs.
    Writes docs/results/audit-<name>.json, and what is made of it: the model card and a picture. Returns what it says.
    Raises DataError when the run is not measured, or was trained on another split.
    """
    recipe, split, data = opened_on(run, prepared)
    results, file = measured(run), run / NETWORK
    told = looked(run, file, recipe.size, data, films_of(split, recipe))
    test = told.where(lambda p: p.part == "test")
    network, calibration = Network(file, recipe.size), Calibration(**results["calibration"])

    some = stratified(test.films, FILMS_OF_A_CLASS)
    inputs, lungs = network_inputs(data, some, recipe.size), lungs_on(prepared, some, segmenter)
    result = {
        "name": name,
        "network": results["network"],
        "films": len(some),
        "changes": changes(network, some, inputs, lungs, calibration),
        "source_guessed": {
            "all": guess_source(test),
            **{code: guess_source(test.where(lambda p, code=code: p.film.label == code)) for code in CODES},
        },
        "groups": groups(test, calibration),
        "pneumothorax": pneumothorax(test.readings(calibration)),
        "grafted": grafted(
            network, prepared, graftable(test.films), partial(lungs_on, prepared, segmenter=segmenter), calibration
        ),
        "frames": frames(network, data, recipe.size, told, calibration),
    }
    folder = models.parent / "docs" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"audit-{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    write_model_card(models)
    return result


def stratified(films: list[Placed], of_a_class: int) -> list[Placed]:
    """At most so many films of each class, drawn in turn from its sources."""
    chosen = []
    for code in CODES:
        own = [p for p in films if p.film.label == code]
        turns = {}
        for index in np.random.default_rng(0).permutation(len(own)):
            turns.setdefault(own[index].film.source, []).append(own[index])
        queue = [(number, source, p) for source, own in turns.items() for number, p in enumerate(own)]
        chosen += [p for *_, p in sorted(queue, key=lambda entry: entry[:2])][:of_a_class]
    return chosen


def changes(
    network: Network, films: list[Placed], inputs: np.ndarray, lungs: np.ndarray | None, calibration: Calibration
) -> dict:
    """What is left of the balanced accuracy after each change of the films.

    inputs: float32 (n, size, size, 1). lungs: bool (n, side, side), or None.
    Returns for each change "balanced_accuracy", and "survives": share of what the whole film is better than chance by.
    """
    all_changed = {name: changed(inputs, name) for name in CHANGES}
    if lungs is not None:
        all_changed |= without_lungs(inputs, lungs)
    table = {}
    for name, films_now in all_changed.items():
        readings = look_at(network, films, films_now).readings(calibration)
        table[name] = {"balanced_accuracy": with_interval(readings, balanced_accuracy)}
        log.info("%s: %.3f", name, table[name]["balanced_accuracy"]["value"])
    best = table["whole"]["balanced_accuracy"]["value"] - CHANCE
    for told in table.values():
        told["survives"] = round((told["balanced_accuracy"]["value"] - CHANCE) / best, 4) if best > 0 else None
    return table


def changed(inputs: np.ndarray, name: str) -> np.ndarray:
    """Films after one of the CHANGES, each inside its padding. float32 (n, size, size, 1), both."""
    now = np.zeros_like(inputs)
    for film, before in zip(now[..., 0], inputs[..., 0], strict=True):
        rows, columns = (np.flatnonzero(before.any(axis=axis)) for axis in (1, 0))
        if len(rows):
            inside = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            film[inside] = CHANGES[name](before[inside])
    return now


def without_lungs(inputs: np.ndarray, lungs: np.ndarray) -> dict[str, np.ndarray]:
    """Films with the lungs blanked to the mean grey of the film, and with everything but the lungs blanked.

    The lungs reach a little further than found, so that no edge of them is left.
    """
    blanked, alone = inputs.copy(), inputs.copy()
    side = inputs.shape[1]
    for film, rest, mask in zip(blanked, alone, lungs, strict=True):
        scaled = Image.fromarray(mask).resize((side, side), Image.Resampling.NEAREST)
        wide = ndimage.binary_dilation(np.asarray(scaled), iterations=max(1, round(MARGIN * side)))
        grey = film[film > 0].mean() if film.any() else 0
        film[wide], rest[~wide] = grey, grey
    return {"lungs_blanked": blanked, "only_lungs": alone}


def guess_source(looked: Looked) -> dict | None:
    """How well a linear probe guesses the source from the features (Alain & Bengio 2016): balanced accuracy.

    By five folds that keep groups together. chance: what guessing without looking reaches. None for a single source.
    """
    sources = np.array([p.film.source for p in looked.films])
    names, counts = np.unique(sources, return_counts=True)
    kept = np.isin(sources, names[counts >= FEW])
    groups = np.array([p.group for p in looked.films])[kept]
    if len(set(sources[kept])) < 2 or len(set(groups)) < FOLDS:
        return None
    features, sources = looked.features[kept].astype(np.float32), sources[kept]
    parts = min(64, features.shape[1], len(features) // 2)
    probe = make_pipeline(
        StandardScaler(), PCA(parts, random_state=0), LogisticRegression(max_iter=500, class_weight="balanced")
    )
    guessed = cross_val_predict(probe, features, sources, groups=groups, cv=GroupKFold(FOLDS))
    count = len(set(sources))
    return {
        "balanced_accuracy": round(float(balanced_accuracy_score(sources, guessed)), 4),
        "chance": round(1 / count, 4),
        "sources": count,
        "films": len(sources),
    }


def groups(looked: Looked, calibration: Calibration) -> dict:
    """Accuracy by source, age group, size of the original and brightness: {kind: {group: {...figure, "classes"}}}."""
    brightness = dict(zip((p.film.file for p in looked.films), looked.brightness, strict=True))
    thirds = np.quantile(looked.brightness, [1 / 3, 2 / 3])
    kinds: dict[str, Callable[[Film], str]] = {
        "source": lambda film: film.source,
        "age_group": lambda film: film.age_group or "not known",
        "original_size": lambda film: _size(film.side),
        "brightness": lambda film: ("dark", "middle", "bright")[int(np.searchsorted(thirds, brightness[film.file]))],
    }
    readings = looked.readings(calibration)
    return {kind: _by_group(readings, of) for kind, of in kinds.items()}


def pneumothorax(readings: Readings) -> dict:
    """Share of films with pneumothorax that are read as such, by sex and age where these are known."""
    some = readings.where(lambda p: p.film.label == "pneumothorax" and bool(p.film.sex and p.film.age))
    if not some.films:
        return {}
    return {
        "sex": _by_group(some, lambda film: {"F": "female", "M": "male"}.get(film.sex, film.sex)),
        "age": _by_group(some, lambda film: _age(float(film.age))),
    }


def frames(network: Network, data: Path, size: int, told: Looked, calibration: Calibration) -> dict | None:
    """Tuberculosis against normal in shenzhen, by the whole film and by its outer frame: AUC on the test films."""
    films = [p for p in told.films if p.part == "test" and p.film.source == "shenzhen"]
    if len({p.film.label for p in films}) < 2:
        return None
    inputs = network_inputs(data, films, size)
    auc = auc_against_normal("tuberculosis")
    table = {}
    for name in ("whole", "only_borders"):
        table[name] = with_interval(look_at(network, films, changed(inputs, name)).readings(calibration), auc)
    return table


def grafted(
    network: Network,
    prepared: Path,
    films: list[Placed],
    lungs_of: Callable[[list[Placed]], np.ndarray | None],
    calibration: Calibration = UNCALIBRATED,
) -> dict | None:
    """Does it see a pneumothorax, or the archive? Both lungs of a film with one are set into normal films of others.

    films: see `train.halves.graftable`. lungs_of: gives bool (n, 128, 128), where each film is lung.
    Returns "auc", of the probability of pneumothorax, lungs with it against lungs without it; "seen" and
    "archive_followed", shares of either that are read as pneumothorax. None where there is nothing to graft.
    """
    if not films or (lungs := lungs_of(films)) is None:
        return None
    _, data = open_prepared(prepared)
    pack, rows = open_pack(prepared)
    squared = pack[[rows[p.film.file] for p in films]]
    named, made = grafts(films, squared, lungs.astype(np.uint8), data, network.size)
    if not named:
        return None
    readings = look_at(network, named, made[..., np.newaxis].astype(np.float32)).readings(calibration)
    with_one, without = (
        readings.where(lambda p, code=code: p.film.label == code) for code in ("pneumothorax", "normal")
    )

    def read_as_one(some: Readings, weight: np.ndarray) -> float:
        return float(np.average(some.findings == CODES.index("pneumothorax"), weights=weight))

    return {
        "auc": with_interval(readings, auc_of("pneumothorax")),
        "seen": with_interval(with_one, read_as_one),
        "archive_followed": with_interval(without, read_as_one),
    }


def as_text(result: dict) -> str:
    """The audit as a readable table."""
    lines = [f"{result['films']} films"]
    for name, told in result["changes"].items():
        figure = told["balanced_accuracy"]
        lines.append(f"{name:<20}{as_interval(figure)}")
    for name, told in result["source_guessed"].items():
        if told:
            lines.append(f"source guessed, {name:<16}{told['balanced_accuracy']:.3f}, by chance {told['chance']:.3f}")
    for name, figure in (result["frames"] or {}).items():
        lines.append(f"shenzhen, {name:<16}AUC {as_interval(figure)}")
    for name, figure in (result["grafted"] or {}).items():
        lines.append(f"lungs in normal films, {name:<18}{as_interval(figure)}")
    return "\n".join(lines)


def _by_group(readings: Readings, of: Callable[[Film], str]) -> dict:
    names = sorted({of(p.film) for p in readings.films})
    return {name: with_interval(readings.where(lambda p, name=name: of(p.film) == name), accuracy) for name in names}


def _size(side: int) -> str:
    if not side:
        return "not known"
    return "up to 256 px" if side <= 256 else "257 to 512 px" if side <= 512 else "above 512 px"


def _age(years: float) -> str:
    return "below 40" if years < 40 else "40 to 59" if years < 60 else "60 and above"
