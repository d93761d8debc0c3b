"""The batches of a training run: which film, moved and degraded how."""

import logging
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from lungcare.conditions import CODES
from lungcare.cores import cores
from train.augment import Chest, borrow_grain, borrow_tone, degrade, move, transplant
from train.manifest import DataError
from train.pack import PackedLungs, open_lungs, open_pack
from train.prepare import open_prepared
from train.recipe import Recipe
from train.split import Placed, Split

log = logging.getLogger(__name__)

# Share of the transplanted lungs that get no body.
ALONE = 0.2
# On more cores the batches are made by processes: threads would wait for one another.
CORES_OF_THREADS = 4


class Feed:
    """Batches of one epoch after the other; the same seed and epoch give the same batches.

    pack: uint8 (films, side, side), memory-mapped. rows: row of each film in the pack. lungs: those of the pack.
    A batch is uint8 (batch, size, size, 1) of grey levels, and one-hot float32 (batch, 4).
    """

    def __init__(self, recipe: Recipe, films: list[Placed], pack: np.ndarray, rows: np.ndarray, lungs: PackedLungs):
        self.recipe, self.pack, self.rows, self.lungs = recipe, pack, rows, lungs
        self.labels = np.array([CODES.index(p.film.label) for p in films])
        self.chances = chances(films, recipe)
        self.cumulative = np.cumsum(self.chances)
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Draw the films of an epoch (counted from 0)."""
        self.epoch = epoch
        recipe = self.recipe
        rng = np.random.default_rng([recipe.seed, epoch])
        versions = max(1, recipe.copies)
        if recipe.even:
            count = (recipe.steps or -(-len(self.rows) // recipe.batch)) * recipe.batch
            self.order = rng.choice(len(self.rows), count, p=self.chances)
        else:
            self.order = rng.permutation(len(self.rows) * versions)
            if recipe.steps:
                self.order = np.resize(self.order, recipe.steps * recipe.batch)

    def __len__(self) -> int:
        return -(-len(self.order) // self.recipe.batch)

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        start = step * self.recipe.batch
        order = self.order[start : start + self.recipe.batch]
        size = self.recipe.size_at(self.epoch)
        films = np.empty((len(order), size, size, 1), np.uint8)
        for place, number in enumerate(order):
            films[place, ..., 0] = self.view(int(number), start + place, size)
        return films, np.eye(len(CODES), dtype=np.float32)[self.labels[order % len(self.rows)]]

    def view(self, number: int, place: int, size: int) -> np.ndarray:
        """One augmented film: uint8 (size, size). The draw hangs on the copy where those are fixed, else on place.

        number: of the film, or of its copy. place: in the epoch.
        """
        recipe = self.recipe
        draw = [recipe.seed, 1, number] if recipe.copies else [recipe.seed, 2, self.epoch, place]
        rng = np.random.default_rng(draw)
        row = self.rows[number % len(self.rows)]
        film = self._placed(row, size, rng)
        if recipe.borrow:
            film = self._borrow(film, rng)
        return degrade(film, recipe.augmentation, rng)

    def _placed(self, row: int, size: int, rng: np.random.Generator) -> np.ndarray:
        """The film moved, or its lungs moved in the body of another one or in nothing."""
        geometry = self.recipe.geometry
        box = self.lungs.box(row)
        if self.recipe.transplant and rng.random() < self.recipe.transplant and box is not None:
            lungs = Chest(self.pack[row], self.lungs.mask(row), box)
            if rng.random() < ALONE:
                return transplant(lungs, None, size, geometry, rng)
            other = self._another(rng)
            other_box = self.lungs.box(other)
            if other_box is not None:
                body = Chest(self.pack[other], self.lungs.mask(other), other_box)
                return transplant(lungs, body, size, geometry, rng)
        return move(self.pack[row], size, geometry, rng, box)

    def _another(self, rng: np.random.Generator) -> int:
        """Row of a film drawn as the films of an epoch are."""
        place = np.searchsorted(self.cumulative, rng.random(), "right")
        return int(self.rows[min(place, len(self.rows) - 1)])

    def _borrow(self, film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Give the film the grey levels, and the grain, of films of other classes and sources, by chance."""
        for borrowed in (borrow_tone, borrow_grain):
            if rng.random() < self.recipe.borrow:
                other = self.pack[self._another(rng)]
                film = borrowed(film, cv2.resize(other, film.shape, interpolation=cv2.INTER_AREA), rng.uniform(0.3, 1))
        return film


def training_films(split: Split, leave_out: tuple[str, ...]) -> list[Placed]:
    """The films of the training part, without some sources and without films of other sources in their groups."""
    barred = {p.group for p in split.films if p.film.source in leave_out}
    films = [p for p in split.films if p.part == "train"]
    kept = [p for p in films if p.film.source not in leave_out and p.group not in barred]
    if leave_out:
        beside = sum(p.film.source not in leave_out for p in films) - len(kept)
        log.info("left out: %s, and %d films of other sources in their groups", ", ".join(leave_out), beside)
    return kept


def open_feed(recipe: Recipe, prepared: Path, films: list[Placed] | None = None) -> Feed:
    """The feed of a recipe from prepared films: of `films`, or of all that it trains on.

    Raises DataError when there is none, or when the recipe wants the lungs and nobody has looked for them.
    """
    if films is None:
        films = training_films(open_prepared(prepared)[0], recipe.leave_out)
    if not films:
        raise DataError(f"{prepared} has no film in its training part.")
    pack, rows = open_pack(prepared)
    lungs = open_lungs(prepared, len(pack))
    if (recipe.geometry.lungs or recipe.transplant) and not lungs:
        raise DataError(f"The recipe wants the lungs of the films in {prepared}. Run `python -m train segment` first.")
    return Feed(recipe, films, pack, np.array([rows[p.film.file] for p in films]), lungs)


@contextmanager
def makers(feed: Feed, opened: Callable[[], Feed]) -> Iterator[Callable[[int, int], Future]]:
    """What makes the batch of an epoch and a step beside the network's work: threads, or on many cores processes.

    opened: opens the same feed again, in another process.
    """
    count = cores()
    pool: Executor
    if count > CORES_OF_THREADS:
        pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _keep, (opened,))
        make = _kept_batch
    else:
        pool, make = ThreadPoolExecutor(2), partial(_batch, feed)
    try:
        yield partial(pool.submit, make)
    finally:
        pool.shutdown(cancel_futures=True)


def ahead(feed: Feed, make: Callable[[int, int], Future], batches: int = 8) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The batches of the feed's epoch in order, so many of them made ahead by `make`, of `makers`."""
    waiting = deque()
    for step in range(len(feed)):
        waiting.append(make(feed.epoch, step))
        if len(waiting) > max(batches, 2 * cores()):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _batch(feed: Feed, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    if feed.epoch != epoch:
        feed.start_epoch(epoch)
    return feed[step]


def _keep(opened: Callable[[], Feed]) -> None:
    global _kept
    cv2.setNumThreads(1)
    _kept = opened()


def _kept_batch(epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    return _batch(_kept, epoch, step)


def chances(films: list[Placed], recipe: Recipe) -> np.ndarray:
    """Probability of each film to be drawn: even over classes, then over sources by a power of their size."""
    labels = [p.film.label for p in films]
    sources = [p.film.source for p in films]
    count: dict[tuple[str, str], int] = {}
    for cell in zip(labels, sources, strict=True):
        count[cell] = count.get(cell, 0) + 1
    weight = {
        (label, source): number**recipe.source_power
        * recipe.source_weights.get(source, 1.0)
        * recipe.source_weights.get(f"{label}/{source}", 1.0)
        for (label, source), number in count.items()
    }
    total = {label: sum(w for (other, _), w in weight.items() if other == label) for label in set(labels)}
    chance = np.array([weight[cell] / count[cell] / total[cell[0]] for cell in zip(labels, sources, strict=True)])
    return chance / chance.sum()
