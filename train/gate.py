"""`python -m train gate`: films and pictures -> the network that tells frontal chest films from all else, measured."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from lungcare.bundle import GATE, GateCard
from lungcare.gate import FRONTAL, TURNS, Gate, columns
from lungcare.network import compiled
from train import gate_views as views
from train.compact import save_compact
from train.gate_measure import measured
from train.gate_network import SIZE, fitted_head, trunk, whole, with_distance
from train.gate_pictures import LATERAL, Picture, pack_pictures, read_pictures
from train.gate_views import KINDS, Label
from train.manifest import DataError
from train.pack import open_pack
from train.prepare import open_prepared
from train.split import Placed

log = logging.getLogger(__name__)

RESULTS = "gate.json"
UNROUNDED = "unrounded.keras"
FOLDS = 5
# Shares of the validation films that each signal may refuse, and that may be taken to lie wrong or to be inverted.
BY_KIND, BY_DISTANCE, BY_LIE = 0.006, 0.003, 0.001
SURE = (0.8, 0.9, 0.95, 0.98, 0.99)


@dataclass(frozen=True)
class Lesson:
    """How many views of each sort a gate learns from; of pictures, how many of each one."""

    frontal: int = 8000
    part: int = 1500
    several: int = 1100
    photograph: int = 1000
    mixed: int = 600
    drawn: int = 700
    picture: int = 3
    lateral: int = 12


LESSON = Lesson()


@dataclass(frozen=True)
class Views:
    """pixels: uint8 (n, 96, 96). labels: what each shows. origins: str (n,), the kind of picture in it, or ""."""

    pixels: np.ndarray
    labels: list[Label]
    origins: np.ndarray

    @property
    def kinds(self) -> np.ndarray:
        """int (n,): index of each view's kind."""
        return np.array([KINDS.index(label.kind) for label in self.labels])


class Films:
    """The packed films of a part."""

    def __init__(self, films: list[Placed], pack: np.ndarray, rows: dict[str, int]):
        self.placed, self._pack = films, pack
        self._rows = [rows[p.film.file] for p in films]
        _, place, count = np.unique([p.film.source for p in films], return_inverse=True, return_counts=True)
        chances = (count**-0.5)[place]
        self._chances = chances / chances.sum()

    def __len__(self) -> int:
        return len(self.placed)

    def __getitem__(self, number: int) -> np.ndarray:
        """A film without padding, uint8 (h, w)."""
        return views.content(self._pack[self._rows[number]])

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Any film; sources count by the square root of their size."""
        return self[int(rng.choice(len(self), p=self._chances))]


def train_gate(prepared: Path, run: Path, lesson: Lesson = LESSON, seed: int = 0) -> GateCard:
    """Train the gate on the training part and on the pictures of not_chest, choose its thresholds on the validation
    part, and measure it on films and pictures that it never saw.

    Writes run/gate.keras and run/gate.json, the card with all figures, and returns the card.
    Raises DataError where there are no such films or pictures.
    """
    split, data = open_prepared(prepared)
    pack, rows = open_pack(prepared)
    films = {part: Films([p for p in split.films if p.part == part], pack, rows) for part in ("train", "validation")}
    if not all(map(len, films.values())):
        raise DataError(f"{prepared} has no film in its training or in its validation part.")
    pictures = read_pictures(data)
    packed = pack_pictures(data, pictures, run)

    body = trunk()
    learned = lesson_views(films["train"], pictures, packed, lesson, np.random.default_rng(seed))
    seen = features(body, learned.pixels)
    upright = plain_views(films["validation"])
    seen_upright = features(body, upright)
    log.info("%d views are made", len(seen))

    everything = np.ones(len(seen), bool)
    whole(body, taught(seen, learned, everything, seed)).save(run / UNROUNDED)
    compacted = save_compact(run / UNROUNDED, run / GATE, lambda path: network(path)(_floats(upright))[:, : len(KINDS)])
    told = network(run / GATE)
    card = thresholds(told(_floats(upright)))
    log.info("trained; thresholds %s", card)

    left_out = {}
    kinds = sorted({picture.kind for picture in pictures})
    shown = features(body, np.stack([views.plain(views.content(film), Label(KINDS[1]), SIZE) for film in packed]))
    for fold in range(min(FOLDS, len(kinds))):
        out = kinds[fold::FOLDS]
        judge = taught(seen, learned, ~np.isin(learned.origins, out), seed)
        strict = thresholds(judge.predict(seen_upright, verbose=0))
        for kind in out:
            own = np.array([picture.kind == kind for picture in pictures])
            refused = refuses(strict, judge.predict(shown[own], verbose=0))
            left_out[kind] = {"pictures": int(own.sum()), "refused": float(refused.mean())}
        log.info("without %s: %s", ", ".join(out), [round(left_out[kind]["refused"], 3) for kind in out])

    figures = {
        "views": len(seen),
        "compacted": compacted,
        "left_out": dict(sorted(left_out.items())),
        **measured(Gate(card, told), split, data, pictures, seed),
    }
    card = card.model_copy(update={"figures": figures})
    (run / RESULTS).write_text(card.model_dump_json(indent=1) + "\n")
    return card


def lesson_views(
    films: Films, pictures: list[Picture], packed: np.ndarray, lesson: Lesson, rng: np.random.Generator
) -> Views:
    """Everything that a gate learns from. packed: uint8 (pictures, side, side); those of the training part count."""
    own = [i for i, picture in enumerate(pictures) if picture.part == "train"]
    made: list[tuple[np.ndarray, Label, str]] = []

    def add(count: int, make: Callable[[], np.ndarray], kind: str, as_is: float, origin: str = "") -> None:
        for _ in range(count):
            label = views.any_label(kind, rng, as_is)
            made.append((views.view(make(), label, SIZE, rng), label, origin))

    def picture() -> tuple[np.ndarray, str]:
        number = int(rng.choice(own))
        return views.content(packed[number]), pictures[number].kind

    def drawn_films() -> list[np.ndarray]:
        return [films.draw(rng) for _ in range(int(rng.choice([2, 2, 3, 4])))]

    add(lesson.frontal, lambda: views.trimmed(films.draw(rng), rng), FRONTAL, as_is=0.5)
    add(lesson.part, lambda: views.part(films.draw(rng), rng), "part_of_chest", as_is=0.7)
    add(lesson.several, lambda: views.several(drawn_films(), rng), "several_in_one", as_is=0.7)
    add(lesson.photograph, lambda: views.far(films.draw(rng), rng), "photograph_of_film", as_is=0.7)
    add(lesson.drawn, lambda: views.drawn(rng), "not_a_chest_film", as_is=1)
    for number in own:
        is_lateral = pictures[number].kind == LATERAL
        add(
            lesson.lateral if is_lateral else lesson.picture,
            lambda number=number: views.cut(views.content(packed[number]), rng),
            "lateral_film" if is_lateral else "not_a_chest_film",
            as_is=0.5,
            origin=pictures[number].kind,
        )
    for _ in range(lesson.mixed):
        other, kind = picture()
        add(1, lambda other=other: views.scrambled(films.draw(rng), other, rng), "not_a_chest_film", 0.5, kind)
        add(1, lambda other=other: views.several([films.draw(rng), other], rng), "several_in_one", 0.7, kind)
    pixels, labels, origins = zip(*made, strict=True)
    return Views(np.stack(pixels), list(labels), np.array(origins))


def plain_views(films: Films) -> np.ndarray:
    """Films as they are, uint8 (films, 96, 96)."""
    return np.stack([views.plain(films[number], Label(FRONTAL), SIZE) for number in range(len(films))])


def features(body: keras.Model, pixels: np.ndarray) -> np.ndarray:
    """What the trunk makes of uint8 (n, 96, 96): float16 (n, 6, 6, 80)."""
    parts = [body.predict_on_batch(_floats(pixels[start : start + 64])) for start in range(0, len(pixels), 64)]
    return np.concatenate([part.astype(np.float16) for part in parts])


def taught(seen: np.ndarray, learned: Views, keep: np.ndarray, seed: int) -> keras.Model:
    """A head trained on some of the views, and the distance from their frontal films. keep: bool (views,)."""
    turns = np.array([label.turns for label in learned.labels])
    inverted = np.array([int(label.inverted) for label in learned.labels])
    head = fitted_head(seen[keep], learned.kinds[keep], turns[keep], inverted[keep], seed)
    return with_distance(head, seen[learned.kinds == KINDS.index(FRONTAL)])


def thresholds(told: np.ndarray) -> GateCard:
    """The card without figures, chosen on what the network says of films of the validation part: float (n, columns)."""
    inverted, upright = told[:, len(KINDS) + TURNS], told[:, len(KINDS)]

    def mistaken(sure: float) -> float:
        return float(((inverted >= sure) | (upright <= 1 - sure)).mean())

    return GateCard(
        size=SIZE,
        kinds=KINDS,
        least_frontal=float(np.quantile(told[:, KINDS.index(FRONTAL)], BY_KIND)),
        most_distance=float(np.quantile(told[:, -1], 1 - BY_DISTANCE)),
        sure=next((sure for sure in SURE if mistaken(sure) <= BY_LIE), SURE[-1]),
    )


def refuses(card: GateCard, told: np.ndarray) -> np.ndarray:
    """Whether the gate takes each picture for no frontal chest film: bool (n,). told: float (n, columns)."""
    return (told[:, KINDS.index(FRONTAL)] < card.least_frontal) | (told[:, -1] > card.most_distance)


def network(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """The compiled call of a gate's network."""
    return compiled(path, SIZE, columns(KINDS))


def _floats(pixels: np.ndarray) -> np.ndarray:
    return pixels[..., np.newaxis].astype(np.float32)
