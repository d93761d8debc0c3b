"""`python -m train fit`: prepared films and a recipe -> a trained network in a run folder, resumable at any moment."""

import csv
import json
import logging
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import keras
import matplotlib
import numpy as np
from tqdm import tqdm

from lungcare.bundle import record_of
from lungcare.conditions import CODES
from lungcare.network import load_network
from train.feed import UNKNOWN, Targets, ahead, makers, open_feed, training_films
from train.imagenet import load_lite0
from train.manifest import DataError
from train.networks import PLACES, apart, build, with_places
from train.pack import open_pack, squares
from train.prepare import open_prepared
from train.recipe import Recipe
from train.split import Placed, Split

log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.keras"
NETWORK = "network.keras"
HISTORY = "history.csv"
RUN = "run.json"
COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")


def fit(recipe: Recipe, prepared: Path, run: Path, resume: bool = False) -> None:
    """Train `recipe` on the films prepared in `prepared`; everything goes into the folder `run`.

    After each epoch run/ holds checkpoint.keras (to go on from), network.keras (to evaluate and publish, with averaged
    weights where the recipe asks for them) and history.csv; at the end curves.png.
    Raises DataError when `run` holds another run, or one that `resume` was not given for.
    """
    split, _ = open_prepared(prepared)
    films = training_films(split, recipe.leave_out)
    start = _start_of(recipe, run)
    drawn = _redrawn(recipe, start)
    feed = open_feed(drawn, prepared, films)
    _start_or_check(recipe, start, split, films, run, resume)

    keras.utils.set_random_seed(recipe.seed)
    network = _network(recipe, run, len(feed))
    history = _history(run / HISTORY)[: int(network.optimizer.iterations) // len(feed)]
    judged = build(recipe, network.input_shape[1])
    judged.compile(loss=_cross_entropy(recipe), metrics=["accuracy"])
    validation = None
    with makers(feed, partial(open_feed, drawn, prepared)) as make:
        for epoch in range(len(history), recipe.epochs):
            started = time.monotonic()
            size = recipe.size_at(epoch)
            if validation is None or validation[0].shape[1] != size:
                validation = validation_batch(split, prepared, recipe, size)
            feed.start_epoch(epoch)
            batches = tqdm(ahead(feed, make), f"epoch {epoch + 1}", len(feed), unit="batch", disable=None)
            row = {"epoch": epoch + 1} | _train(network, batches)
            _copy_averages(network, judged)
            if validation is not None:
                told = judged.evaluate(*validation, batch_size=recipe.batch, return_dict=True, verbose=0)
                row |= {f"val_{name}": round(value, 5) for name, value in told.items()}
            seconds = round(time.monotonic() - started, 1)
            history.append(row | {"seconds": seconds})
            # The checkpoint last: what is newer than it is made again on resuming, what is older would be lost.
            _write_history(run / HISTORY, history)
            _replace(run / NETWORK, _published(recipe, judged).save)
            _replace(run / CHECKPOINT, network.save)
            log.info("%s", "  ".join(f"{name} {value}" for name, value in history[-1].items()))
    plot_curves(history, run / "curves.png")


def _train(network: keras.Model, batches: Iterable[tuple[np.ndarray, Targets]]) -> dict[str, float]:
    """One epoch. Not `network.fit`, which puts the averaged weights in the place of the weights whenever it ends."""
    totals = Counter()
    for films, labels in batches:
        figures = network.train_on_batch(films, labels, return_dict=True)
        totals.update({name: float(value) * len(films) for name, value in figures.items()} | {"films": len(films)})
    means = {name: round(totals[name] / totals["films"], 5) for name in figures}
    if "places_loss" in means:
        log.info("loss of the places %s", means["places_loss"])
    accuracy = means.get("accuracy", means.get("probabilities_accuracy"))
    return {"loss": means["loss"], "accuracy": accuracy}


def validation_batch(split: Split, prepared: Path, recipe: Recipe, size: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Packed validation films, float32 (n, size, size, 1), and their labels one-hot; None when the part is empty."""
    films = [p for p in split.films if p.part == "validation" and p.film.source not in recipe.leave_out]
    if recipe.validate_films:
        order = np.random.default_rng(0).permutation(len(films))
        each = recipe.validate_films // len(CODES)
        films = [films[i] for code in CODES for i in [i for i in order if films[i].film.label == code][:each]]
    if not films:
        return None
    labels = np.eye(len(CODES), dtype=np.float32)[[CODES.index(p.film.label) for p in films]]
    pack, rows = open_pack(prepared)
    return squares(pack[[rows[p.film.file] for p in films]], size), labels


def save_made(network: keras.Model, run: Path, out: Path, **made: object) -> None:
    """Keep what a step of `train.recipe.STEPS` made of the network of `run` as the run `out`; `made`: what it did."""
    out.mkdir(parents=True, exist_ok=True)
    network.save(out / NETWORK)
    (out / RUN).write_text(json.dumps(json.loads((run / RUN).read_text()) | made, indent=1))
    if out != run:
        shutil.copy(run / HISTORY, out / HISTORY)


def plot_curves(history: list[dict], path: Path) -> None:
    """Accuracy and loss by epoch, as a PNG."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    epochs = [int(row["epoch"]) for row in history]
    for axis, name in zip(axes, ("accuracy", "loss"), strict=True):
        for column, label in ((name, "training"), (f"val_{name}", "validation")):
            if history and row_has(history[0], column):
                axis.plot(epochs, [float(row[column]) for row in history], label=label)
        axis.set(xlabel="epoch", ylabel=name)
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def row_has(row: dict, column: str) -> bool:
    """Whether a row of the history has a figure in a column."""
    return row.get(column) not in (None, "")


def _start_of(recipe: Recipe, run: Path) -> str | None:
    """SHA-256 of the network that a run goes on from: as its run.json says, or of the file where the run is new.

    Raises DataError when that file is missing, or may have seen what this run leaves out.
    """
    if (run / RUN).is_file():
        return json.loads((run / RUN).read_text()).get("start")
    if not recipe.start_from:
        return None
    start = Path(recipe.start_from)
    if not start.is_file():
        raise DataError(f"There is no network {start} to go on from.")
    if not set(recipe.leave_out) <= left_out_of(start):
        raise DataError(
            f"{start} may have been trained on {', '.join(recipe.leave_out)}: {RUN} beside it says no other."
        )
    return record_of(start).sha256


def left_out_of(network: Path) -> set[str]:
    """The sources that the run of a network did not train on, as far as its run.json says."""
    run = network.parent / RUN
    return set(json.loads(run.read_text())["recipe"]["leave_out"]) if run.is_file() else set()


def _redrawn(recipe: Recipe, start: str | None) -> Recipe:
    """The recipe by which films and views are drawn: with another seed for each network to go on from.

    A network that was trained by the same seed has seen the same views, and partly knows them by heart.
    """
    return recipe.model_copy(update={"seed": recipe.seed + int(start[:8], 16)}) if start else recipe


def _start_or_check(
    recipe: Recipe, start: str | None, split: Split, films: list[Placed], run: Path, resume: bool
) -> None:
    """Write run.json for a new run; for an old one check that it is the same."""
    described = {"recipe": recipe.model_dump(mode="json"), "split": split.checksum}
    path = run / RUN
    if path.is_file():
        before = json.loads(path.read_text())
        if {name: before[name] for name in described} != described:
            raise DataError(f"{run} holds a run with another recipe or split. Give another --run, or remove it.")
        if not resume:
            raise DataError(f"{run} holds this run already. Add --resume to go on with it, or give another --run.")
        return
    run.mkdir(parents=True, exist_ok=True)
    count = Counter(f"{p.film.label}/{p.film.source}" for p in films)
    described |= {
        "films": dict(sorted(count.items())),
        "start": start,
        "commit": _commit(),
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    _replace(path, lambda unfinished: Path(unfinished).write_text(json.dumps(described, indent=1)))


def _network(recipe: Recipe, run: Path, steps: int) -> keras.Model:
    if (run / CHECKPOINT).is_file():
        return keras.models.load_model(run / CHECKPOINT)
    with _precision(recipe.precision):
        network = build(recipe, recipe.size if recipe.network == "thesis" else None)
    if recipe.start_from:
        network.set_weights(apart(load_network(recipe.start_from))[0].get_weights())
    elif recipe.pretrained:
        load_lite0(network)
    return compiled(network, recipe, steps)


@contextmanager
def _precision(name: str) -> Iterator[None]:
    """Build layers that calculate in this precision, in the block."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def compiled(network: keras.Model, recipe: Recipe, steps: int) -> keras.Model:
    """The network with the recipe's loss, optimiser and, where it wants them, places; `steps`: batches an epoch."""
    if not recipe.places:
        network.compile(_optimizer(recipe, steps), trained_by(recipe), metrics=[accuracy])
        return network
    network = with_places(network)
    losses = {"probabilities": trained_by(recipe), PLACES: in_known_places}
    weights = {"probabilities": 1.0, PLACES: recipe.places}
    network.compile(_optimizer(recipe, steps), losses, weights, metrics={"probabilities": [accuracy]})
    return network


@keras.saving.register_keras_serializable("train")
def in_known_places(drawn, said):
    """Binary cross-entropy of films, summed over the places that were drawn. Both float (films, rows, columns)."""
    told = keras.ops.binary_crossentropy(keras.ops.clip(drawn, 0, 1), said)
    return keras.ops.sum(keras.ops.where(keras.ops.equal(drawn, UNKNOWN), 0.0, told), axis=(1, 2))


@keras.saving.register_keras_serializable("train")
def accuracy(labels, probabilities):
    """Of each film, whether the highest probability is that of its class; `labels` may be followed by its priors."""
    return keras.metrics.categorical_accuracy(labels[:, : probabilities.shape[-1]], probabilities)


@keras.saving.register_keras_serializable("train")
class WithPriors(keras.losses.Loss):
    """Cross-entropy of the probabilities times the priors that follow the labels: float (films, 2 * classes).

    What the priors say already, the network need not say: it gains nothing by it (balanced softmax: Ren et al., NeurIPS
    2020, there with the priors of all films). Labels are smoothed after the priors: of a film whose class its source
    tells, the network need be less sure. A row of labels that names several classes says that it is one of them, not
    which: the loss is of their sum.
    """

    def __init__(self, label_smoothing: float = 0.0, **of_every_loss):
        super().__init__(**of_every_loss)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        """Of each film: float (films,)."""
        classes = y_pred.shape[-1]
        labels, priors = y_true[:, :classes], keras.ops.cast(y_true[:, classes:], y_pred.dtype)
        told = _shares(keras.ops.maximum(y_pred, keras.config.epsilon()) * priors)
        named = keras.ops.stop_gradient(_shares(keras.ops.cast(labels > 0, y_pred.dtype) * told))
        smoothed = (1 - self.label_smoothing) * named + self.label_smoothing / classes
        return keras.ops.categorical_crossentropy(smoothed, told)

    def get_config(self):
        """What the loss is made of again."""
        return super().get_config() | {"label_smoothing": self.label_smoothing}


def _shares(rows):
    return rows / keras.ops.sum(rows, axis=-1, keepdims=True)


def trained_by(recipe: Recipe) -> keras.losses.Loss:
    """The loss that the classes are trained by."""
    if recipe.with_priors:
        return WithPriors(label_smoothing=recipe.label_smoothing)
    return _cross_entropy(recipe)


def _cross_entropy(recipe: Recipe) -> keras.losses.Loss:
    return keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing)


def _optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    total = recipe.epochs * steps
    rate = recipe.rate
    if recipe.schedule == "cosine":
        warmup = int(recipe.warmup * total)
        rate = keras.optimizers.schedules.CosineDecay(
            recipe.rate * (0.02 if warmup else 1), total - warmup, 0.01, warmup_target=recipe.rate, warmup_steps=warmup
        )
    average = {"use_ema": True, "ema_momentum": recipe.average} if recipe.average else {}
    # Weights of every kind decay: Keras does not save which ones are spared, so a resumed run would differ.
    return keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, **average)


def _copy_averages(network: keras.Model, judged: keras.Model) -> None:
    """Give `judged` the weights of the network, averaged over the steps where its optimiser keeps averages.

    Those of the places, which are trained on and not published, are left out.
    """
    judged.set_weights([keras.ops.convert_to_numpy(v) for v in network.weights if not v.path.startswith(PLACES)])
    if network.optimizer.use_ema:
        averages = zip(network.trainable_variables, network.optimizer._model_variables_moving_average, strict=True)
        kept = [average for variable, average in averages if not variable.path.startswith(PLACES)]
        for variable, average in zip(judged.trainable_variables, kept, strict=True):
            variable.assign(keras.ops.convert_to_numpy(average))


def _published(recipe: Recipe, judged: keras.Model) -> keras.Model:
    """The network to publish: of fixed size, without optimiser."""
    published = build(recipe, recipe.size)
    published.set_weights(judged.get_weights())
    return published


def _replace(path: Path, write) -> None:
    """Write beside `path`, then put it in place at once: the file is whole whenever the process is killed."""
    unfinished = path.with_name(f"unfinished-{path.name}")
    write(str(unfinished))
    unfinished.replace(path)


def _history(path: Path) -> list[dict]:
    if not path.is_file():
        return []
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def _write_history(path: Path, history: list[dict]) -> None:
    def write(unfinished: str) -> None:
        with open(unfinished, "w", newline="") as lines:
            rows = csv.DictWriter(lines, COLUMNS, lineterminator="\n")
            rows.writeheader()
            rows.writerows(history)

    _replace(path, write)


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "not known"
