"""The batches of a training run: which film, moved and degraded how."""

import logging
import multiprocessing
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from lungcare.conditions import CODES
from lungcare.cores import cores
from lungcare.lungs import box_of
from train.augment import Chest, borrow_grain, borrow_tone, degrade, move, transplant
from train.collapse import Drawn, collapsed, folded
from train.halves import LEFT, NEITHER, RIGHT, affected_half, graft, middle_of, mirrored, outlines_of
from train.lungs import packed_lungs
from train.manifest import DataError
from train.pack import PackedLungs, open_pack
from train.prepare import open_prepared
from train.priors import priors
from train.recipe import STRIDE, Recipe
from train.split import Placed, Split

log = logging.getLogger(__name__)

# Share of the transplanted lungs that get no body.
ALONE = 0.2
# Share of the halves with or without pneumothorax that are set into a normal film; the rest stands on both sides.
GRAFTED = 0.5
NORMAL, PNEUMOTHORAX = CODES.index("normal"), CODES.index("pneumothorax")
# Share of a place that counts as the whole of it.
ENOUGH = 0.1
UNKNOWN = -1.0
# A half of a film with a pneumothorax in the other half: it shows one of the other classes, nobody knows which.
UNAFFECTED = np.array([code != "pneumothorax" for code in CODES], np.float32)
# On more cores the batches are made by processes: threads would wait for one another.
CORES_OF_THREADS = 4

Targets = np.ndarray | dict[str, np.ndarray]


class Feed:
    """Batches of one epoch after the other; the same seed and epoch give the same batches.

    pack: uint8 (films, side, side), memory-mapped. rows: row of each film in the pack. lungs: those of the pack.
    outlines: of the pneumothorax on films, by their index, see `train.halves.outlines_of`.
    A batch is uint8 (batch, size, size, 1) of grey levels, and float32 (batch, 4): 1 for each class that the film may
    be, which is all but one for the unaffected halves of films with a pneumothorax. Where the recipe wants priors or
    halves, (batch, 8), with the priors behind, even ones of halves and of films that were drawn into. Where it wants
    places, a dictionary of that, "probabilities", and of "places": float32 (batch, size / 32, size / 32), how much of
    each is pneumothorax; UNKNOWN where no one drew it.
    """

    def __init__(
        self,
        recipe: Recipe,
        films: list[Placed],
        pack: np.ndarray,
        rows: np.ndarray,
        lungs: PackedLungs,
        outlines: dict[int, np.ndarray] | None = None,
    ):
        self.recipe, self.pack, self.rows, self.lungs = recipe, pack, rows, lungs
        self.outlines = outlines or {}
        self.affected = np.full(len(films), NEITHER)
        for index, outline in self.outlines.items():
            self.affected[index] = affected_half(outline, lungs.mask(rows[index]))
        self.labels = np.array([CODES.index(p.film.label) for p in films])
        self.chances = chances(films, recipe)
        self.cumulative = np.cumsum(self.chances)
        normal = self.chances * (self.labels == NORMAL)
        self.cumulative_of_normal = np.cumsum(normal / max(normal.sum(), 1e-12))
        self.chances_of_half = recipe.halves * self._shares_in_halves()
        self.priors = priors(films, self.chances * (1 - self.chances_of_half), recipe.priors)
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

    def __getitem__(self, step: int) -> tuple[np.ndarray, Targets]:
        recipe = self.recipe
        start = step * recipe.batch
        order = self.order[start : start + recipe.batch]
        size = recipe.size_at(self.epoch)
        films = np.empty((len(order), size, size, 1), np.uint8)
        labels = np.eye(len(CODES), dtype=np.float32)[self.labels[order % len(self.rows)]]
        places = np.empty((len(order), size // STRIDE, size // STRIDE), np.float32)
        priors_of_films = self.priors[order % len(self.rows)]
        for row, number in enumerate(order.tolist()):
            half = self._half(number, start + row)
            drawn = self._drawn(number, start + row) if half == NEITHER else None
            films[row, ..., 0] = self.view(number, start + row, size, half, drawn)
            if half != NEITHER and half == -self.affected[number % len(self.rows)]:
                labels[row] = UNAFFECTED
            elif drawn is not None and drawn.outline is not None:
                labels[row] = np.eye(len(CODES))[PNEUMOTHORAX]
            if half != NEITHER or drawn is not None:
                priors_of_films[row] = 1 / len(CODES)
            if recipe.places:
                places[row] = self._places(number, start + row, size, half, drawn)
        if recipe.with_priors:
            labels = np.concatenate([labels, priors_of_films], axis=1)
        return films, {"probabilities": labels, "places": places} if recipe.places else labels

    def view(self, number: int, place: int, size: int, half: int = NEITHER, drawn: Drawn | None = None) -> np.ndarray:
        """One augmented film: uint8 (size, size).

        number: of the film, or of its copy. place: in the epoch. half: which one alone is shown, see `train.halves`.
        drawn: the film with what was drawn into it.
        """
        recipe = self.recipe
        rng = np.random.default_rng(self._draw(number, place))
        film = self._placed(number % len(self.rows), half, size, rng, drawn=drawn)
        if recipe.borrow:
            film = self._borrow(film, rng)
        return degrade(film, recipe.augmentation, rng)

    def _places(self, number: int, place: int, size: int, half: int, drawn: Drawn | None) -> np.ndarray:
        """How much of each place of a view is pneumothorax, 0 to 1: float32 (size / 32, size / 32), or UNKNOWN."""
        index, side = number % len(self.rows), size // STRIDE
        if self.labels[index] != PNEUMOTHORAX and (drawn is None or drawn.outline is None):
            return np.zeros((side, side), np.float32)
        if drawn is None and index not in self.outlines:
            return np.full((side, side), UNKNOWN, np.float32)
        rng = np.random.default_rng(self._draw(number, place))
        outline = self._placed(index, half, size, rng, outline=True, drawn=drawn)
        shares = outline.reshape(side, STRIDE, side, STRIDE).mean(axis=(1, 3), dtype=np.float32) / 255
        return np.minimum(shares / ENOUGH, 1)

    def _shares_in_halves(self) -> np.ndarray:
        """How often a film may be shown by one half: float (n,). Normal films as often mirrored as a pneumothorax."""
        one_sided = self.affected != NEITHER
        total = self.chances[np.isin(self.labels, self.labels[one_sided])].sum()
        mirrored_share = (1 - GRAFTED) * self.chances[one_sided].sum() / max(total, 1e-12)
        return np.where(one_sided, 1.0, mirrored_share * (self.labels == NORMAL))

    def _half(self, number: int, place: int) -> int:
        """Which half of a film is to stand for both lungs, or to be grafted: by chance, else NEITHER."""
        chance = self.chances_of_half[number % len(self.rows)]
        if not chance:
            return NEITHER
        rng = np.random.default_rng([*self._draw(number, place), 3])
        return int(rng.choice([LEFT, RIGHT])) if rng.random() < chance else NEITHER

    def _drawn(self, number: int, place: int) -> Drawn | None:
        """A normal film with a pneumothorax or a fold drawn into it, by chance; None where there is neither."""
        recipe, index = self.recipe, number % len(self.rows)
        if self.labels[index] != NORMAL or not recipe.collapse + recipe.folds:
            return None
        rng = np.random.default_rng([*self._draw(number, place), 4])
        chance = rng.random()
        if chance >= recipe.collapse + recipe.folds:
            return None
        film, lungs = self.pack[self.rows[index]], self.lungs.mask(self.rows[index])
        half, alike = int(rng.choice([LEFT, RIGHT])), np.random.default_rng(int(rng.integers(2**31)))
        draw = collapsed if chance < recipe.collapse else folded
        return draw(film, lungs, half, alike)

    def _draw(self, number: int, place: int) -> list[int]:
        """What the random numbers of a view begin with: it hangs on the copy where those are fixed, else on place."""
        recipe = self.recipe
        return [recipe.seed, 1, number] if recipe.copies else [recipe.seed, 2, self.epoch, place]

    def _placed(
        self,
        index: int,
        half: int,
        size: int,
        rng: np.random.Generator,
        outline: bool = False,
        drawn: Drawn | None = None,
    ) -> np.ndarray:
        """The film moved, or its lungs moved in the body of another one or in nothing. half: see `_half`.

        outline: whether what is outlined on it is to be moved in its stead. drawn: what to show of it instead.
        """

        def shown(row: int) -> np.ndarray:
            return np.zeros_like(self.pack[row]) if outline else self.pack[row]

        geometry = self.recipe.geometry
        if drawn is not None:
            film = drawn.outline if outline else drawn.film
        else:
            film = self.outlines[index] if outline else self.pack[self.rows[index]]
        mask = self.lungs.mask(self.rows[index])
        if half != NEITHER:
            if self.affected[index] != NEITHER and rng.random() < GRAFTED:
                host = self._another(rng, self.cumulative_of_normal)
                its_lungs = self.lungs.mask(host)
                grafted = graft(film, mask, shown(host), its_lungs, half, size, geometry, rng, not outline)
                if grafted is not None:
                    return grafted
            middle = middle_of(mask)
            if middle is not None:
                film, mask = mirrored(film, middle, half), mirrored(mask, middle, half)
        box = box_of(mask)
        if self.recipe.transplant and rng.random() < self.recipe.transplant and box is not None:
            lungs = Chest(film, mask, box)
            if rng.random() < ALONE:
                return transplant(lungs, None, size, geometry, rng, not outline)
            other = self._another(rng, self.cumulative)
            other_box = self.lungs.box(other)
            if other_box is not None:
                body = Chest(shown(other), self.lungs.mask(other), other_box)
                return transplant(lungs, body, size, geometry, rng, not outline)
        return move(film, size, geometry, rng, box)

    def _another(self, rng: np.random.Generator, cumulative: np.ndarray) -> int:
        """Row of a film drawn by the cumulated chances."""
        place = np.searchsorted(cumulative, rng.random(), "right")
        return int(self.rows[min(place, len(self.rows) - 1)])

    def _borrow(self, film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Give the film the grey levels, and the grain, of films of other classes and sources, by chance."""
        for borrowed in (borrow_tone, borrow_grain):
            if rng.random() < self.recipe.borrow:
                other = self.pack[self._another(rng, self.cumulative)]
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

    Where the recipe wants the lungs, see `train.lungs.packed_lungs`. Raises DataError when there is no film.
    """
    split, data = open_prepared(prepared)
    if films is None:
        films = training_films(split, recipe.leave_out)
    if not films:
        raise DataError(f"{prepared} has no film in its training part.")
    pack, rows = open_pack(prepared)
    wants_lungs = recipe.geometry.lungs or recipe.transplant or recipe.halves or recipe.collapse or recipe.folds
    lungs = packed_lungs(prepared) if wants_lungs else PackedLungs.none(len(pack))
    chosen = np.array([rows[p.film.file] for p in films])
    outlines = outlines_of(films, data, pack.shape[1]) if recipe.halves or recipe.places else None
    return Feed(recipe, films, pack, chosen, lungs, outlines)


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


def ahead(feed: Feed, make: Callable[[int, int], Future], batches: int = 8) -> Iterator[tuple[np.ndarray, Targets]]:
    """The batches of the feed's epoch in order, so many of them made ahead by `make`, of `makers`."""
    waiting = deque()
    for step in range(len(feed)):
        waiting.append(make(feed.epoch, step))
        if len(waiting) > max(batches, 2 * cores()):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _batch(feed: Feed, epoch: int, step: int) -> tuple[np.ndarray, Targets]:
    if feed.epoch != epoch:
        feed.start_epoch(epoch)
    return feed[step]


def _keep(opened: Callable[[], Feed]) -> None:
    global _kept
    cv2.setNumThreads(1)
    _kept = opened()


def _kept_batch(epoch: int, step: int) -> tuple[np.ndarray, Targets]:
    return _batch(_kept, epoch, step)


def chances(films: list[Placed], recipe: Recipe) -> np.ndarray:
    """Probability of each film to be drawn: even over classes, then over sources by a power of their size."""
    cells = [(p.film.label, p.film.source) for p in films]
    share = [recipe.outlined if p.film.mask else 1.0 for p in films]
    count, shares = Counter(cells), Counter()
    for cell, own in zip(cells, share, strict=True):
        shares[cell] += own
    weight = {
        (label, source): number**recipe.source_power
        * recipe.source_weights.get(source, 1.0)
        * recipe.source_weights.get(f"{label}/{source}", 1.0)
        for (label, source), number in count.items()
    }
    total = {label: sum(w for (other, _), w in weight.items() if other == label) for label, _ in weight}
    chance = np.array([weight[c] * own / shares[c] / total[c[0]] for c, own in zip(cells, share, strict=True)])
    return chance / chance.sum()
