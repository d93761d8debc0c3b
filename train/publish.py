"""`python -m train publish`: a measured run -> models/<name>/, the model store and every figure that follows."""

import json
import logging
import shutil
from pathlib import Path

from lungcare.bundle import (
    CARD,
    GATE,
    LUNGS,
    MODELS,
    NETWORK,
    Bundle,
    BundleError,
    Calibration,
    Card,
    Decisions,
    GateCard,
    Input,
    LungsCard,
    record_of,
)
from lungcare.conditions import CODES
from lungcare.examples import frozen_examples
from lungcare.store import check_free, import_bundle
from train.certainty import measure_certainty
from train.document import write_readme
from train.evaluate import calibration, measured, opened_on, steps_of
from train.examples import FILMS, freeze, pool_checksum, read_pool, write_examples
from train.fit import HISTORY, RUN
from train.look import look
from train.manifest import OTHER, DataError
from train.measure import by_source
from train.model_card import read_audits, write_model_card
from train.operate import measure_points
from train.other import other_figures
from train.prepare import open_prepared
from train.recipe import Recipe

log = logging.getLogger(__name__)

DEFAULT = "lungcare"
# What a run of the gate or of the segmenter says of its network.
CARD_OF = {GATE: "gate.json", LUNGS: "results.json"}
LARGEST = 15_000_000
LARGEST_LUNGS = 2_000_000
PREPROCESSING = (
    "grey; 8 bits divided by 255, more bits stretched between their 0.5 and 99.5 percentiles; without margins of one "
    "grey level that take a tenth of its height or width; scaled by the longest side (bilinear, antialiased), padded "
    "to a centred black square; times 255"
)
DESCRIPTIONS = {
    "thesis": "The thesis's network: {blocks} blocks of convolution, normalisation and pooling, then two dense layers.",
    "reader": "EfficientNet-Lite0 with one channel, from ImageNet weights, trained on films of many collections.",
}


def publish(
    run: Path,
    prepared: Path,
    name: str,
    version: str | None,
    models: Path = MODELS,
    gate_run: Path | None = None,
    lungs_run: Path | None = None,
) -> Bundle:
    """Make models/<name>/ from a run, put it into the model store, and write the README's figures anew.

    gate_run, lungs_run: runs of `python -m train gate` and `segment`. Where there is none, a bundle keeps what it has,
    and a new one gets the default's.
    Where there is a pool of drawn films in examples/ beside models/, the bundle carries four of each condition, frozen
    with their readings; only the default bundle has to have them.
    version: x.y.z; without it that of the bundle when nothing changed, else the next one.
    The bundle and the store's entry are each whole or absent whenever this is killed; running it again completes them.
    Raises DataError when the run is not measured, its network is too large, or too few drawn films read right.
    """
    recipe, _, _ = opened_on(run, prepared)
    results, network = measured(run), run / NETWORK
    if network.stat().st_size > LARGEST:
        raise DataError(
            f"{network} has {network.stat().st_size / 1e6:.1f} MB; at most {LARGEST / 1e6:g} are published."
        )

    audits = read_audits(models.parent / "docs" / "results")
    _restore(models / name)
    before = _published(models / name)
    gate = _found(GATE, gate_run, models / name, models / DEFAULT)
    lungs = _found(LUNGS, lungs_run, models / name, models / DEFAULT)

    def card_of(version: str) -> Card:
        return _with_lungs(_with_gate(_card(run, recipe, results, audits, name, version), gate), lungs)

    card = card_of(version or (before.version if before else "1.0.0"))
    pool = models.parent / FILMS
    if _changed(before, card) or _pool_changed(models / name, before, pool):
        version = version or (_next(before.version) if before else "1.0.0")
        card = card_of(version)
        if before and before.version == card.version:
            raise DataError(f"{before.tag} is published with another content. Give a new --version, or leave it to us.")
        external = _external(network, recipe, prepared, card)
        looks = 1 + (before.metrics.get("external", {}).get("looks", 0) if before else 0)
        card = card.model_copy(update={"metrics": card.metrics | {"external": external | {"looks": looks}}})
        files = {NETWORK: network, GATE: gate, LUNGS: lungs}
        _replace_bundle(models / name, {file: path for file, path in files.items() if path}, card, pool)
    bundle = Bundle(models / name)
    tag = import_bundle(bundle)
    log.info("%s is in the model store", tag)
    write_readme(models, models.parent / "README.md")
    write_model_card(models)
    return bundle


def _card(run: Path, recipe: Recipe, results: dict, audits: list[dict], name: str, version: str) -> Card:
    """The card of a run's network, but for the external part."""
    described = json.loads((run / RUN).read_text())
    history = (run / HISTORY).read_text().splitlines()
    network = record_of(run / NETWORK)
    audit = next((told for told in audits if told["network"] == network.sha256), {"changes": {}})
    audited = {change: told["balanced_accuracy"] for change, told in audit["changes"].items()}
    return Card(
        name=name,
        version=version,
        description=_description(recipe, described),
        conditions=CODES,
        input=Input(size=recipe.size, preprocessing=PREPROCESSING),
        calibration=Calibration(**results["calibration"]),
        decisions=Decisions(
            model=f"{name}:{version}",
            network=network.sha256,
            points=results["points"],
            certainty=results["certainty"],
        ),
        training=described["recipe"]
        | {
            "epochs_done": len(history) - 1,
            "commit": described["commit"],
            "backend": described["backend"],
            "started": described["started"],
            **steps_of(run),
            "compacted": results["compacted"],
        },
        data={"split": described["split"], "training_films": described["films"]},
        metrics=results["parts"]
        | {name: results[name] for name in ("reference", "other", "calibration_folds")}
        | {"audit": audited},
        files={NETWORK: network},
    )


def _description(recipe: Recipe, described: dict) -> str:
    said = DESCRIPTIONS[recipe.network].format(blocks=recipe.blocks)
    others = described.get("ensemble")
    if others:
        said += f" {len(others) + 1} of them stand side by side and add up what they say."
    if scales := described.get("scales"):
        said += f" {'Each' if others else 'It'} sees a film at {len(scales)} scales and averages what it sees."
    return said


def _found(file: str, run: Path | None, *bundles: Path) -> Path | None:
    """The gate or the segmenter to publish: that of its run, its card beside it, else of the first bundle with one."""
    measured = run is not None and (run / CARD_OF[file]).is_file()
    found = (folder / file for folder in ((run, *bundles) if measured else bundles))
    return next((path for path in found if path.is_file()), None)


def _with_gate(card: Card, gate: Path | None) -> Card:
    """The card with what belongs to the gate: from the card of its run, or of the bundle in which it lies."""
    if gate is None:
        return card
    told = gate.with_name(CARD_OF[GATE])
    of_gate = GateCard.model_validate_json(told.read_bytes()) if told.is_file() else Bundle(gate.parent).card.gate
    return card.model_copy(update={"gate": of_gate, "files": card.files | {GATE: record_of(gate)}})


def _with_lungs(card: Card, lungs: Path | None) -> Card:
    """The card with what belongs to the segmenter, likewise. Raises DataError where it is too large."""
    if lungs is None:
        return card
    if lungs.stat().st_size > LARGEST_LUNGS:
        raise DataError(
            f"{lungs} has {lungs.stat().st_size / 1e6:.1f} MB; at most {LARGEST_LUNGS / 1e6:g} are published."
        )
    told = lungs.with_name(CARD_OF[LUNGS])
    of_lungs = LungsCard.model_validate_json(told.read_bytes()) if told.is_file() else Bundle(lungs.parent).card.lungs
    return card.model_copy(update={"lungs": of_lungs, "files": card.files | {LUNGS: record_of(lungs)}})


def _changed(before: Card | None, card: Card) -> bool:
    """Whether a card says anything else than the published one, the external part and the examples aside."""
    if before is None:
        return True
    own = {
        "metrics": {part: figures for part, figures in before.metrics.items() if part != "external"},
        "files": {name: record for name, record in before.files.items() if not name.startswith(FILMS)},
        "training": {name: told for name, told in before.training.items() if told is not None},
    }
    training = {name: told for name, told in card.training.items() if told is not None}
    return before.model_copy(update=own) != card.model_copy(update={"training": training})


def _pool_changed(folder: Path, before: Card | None, pool: Path) -> bool:
    """Whether the examples of a published bundle come from another pool than there is."""
    frozen = frozen_examples(Bundle(folder)) if before else None
    return (frozen.pool if frozen else "") != pool_checksum(pool)


def _external(network: Path, recipe: Recipe, prepared: Path, card: Card) -> dict:
    """The external films, each source and class apart: the one look that a published model takes at them."""
    split, data = open_prepared(prepared)
    films = [p for p in split.films if p.part == "external"]
    if not films:
        return {"films": 0}
    told = look(network, recipe.size, data, films)
    chosen, rule = card.calibration, card.decisions.certainty
    figures = {"films": len(films), "by_source": by_source(told.readings(chosen))}
    known = told.where(lambda p: p.film.label in CODES)
    if known.films:
        readings = known.readings(chosen)
        figures["calibration"] = calibration(known, chosen)
        figures["operating_points"] = measure_points(readings, card.decisions.points)
        figures["certainty"] = measure_certainty(readings, rule)
    others = told.where(lambda p: p.film.label == OTHER).readings(chosen)
    if others.films:
        figures["other"] = other_figures(others, rule)
    return figures


def _published(folder: Path) -> Card | None:
    try:
        return Bundle(folder).card
    except BundleError:
        return None


def _next(version: str) -> str:
    major, minor, patch = version.split(".")
    return f"{major}.{minor}.{int(patch) + 1}"


def _beside(folder: Path) -> tuple[Path, Path]:
    """Where a bundle is built, and where the old one waits, while the new one moves in."""
    return folder.with_name(f".unfinished-{folder.name}"), folder.with_name(f".old-{folder.name}")


def _restore(folder: Path) -> None:
    """Put the old bundle back when a publishing was killed between taking it out and moving the new one in."""
    _, old = _beside(folder)
    if old.exists() and not folder.exists():
        old.rename(folder)


def _replace_bundle(folder: Path, files: dict[str, Path], card: Card, pool: Path) -> None:
    """Build the bundle beside its place, then move it in; in between there is none, never half of one."""
    unfinished, old = _beside(folder)
    for left in (unfinished, old):
        shutil.rmtree(left, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name, path in files.items():
        shutil.copyfile(path, unfinished / name)
    (unfinished / CARD).write_text(card.model_dump_json(indent=1) + "\n")
    if read_pool(pool):
        _add_examples(unfinished, card, pool, has_to=folder.name == DEFAULT)
    check_free(Bundle(unfinished))
    if folder.exists():
        folder.rename(old)
    unfinished.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _add_examples(folder: Path, card: Card, pool: Path, has_to: bool) -> None:
    """Put the films that the bundle's own model reads right into it, with their readings, and list them in its card."""
    names = write_examples(freeze(Bundle(folder), pool, has_to), pool, folder)
    files = card.files | {name: record_of(folder / name) for name in names}
    (folder / CARD).write_text(card.model_copy(update={"files": files}).model_dump_json(indent=1) + "\n")
