"""Does this installation read as the model did when it was published? The bundle's examples, stage by stage.

Every stage leaves a few figures of what it made; they are frozen with the examples when a model is published, and
compared here. The first stage whose figures differ is the one to look at: all later ones take what it gives.
"""

import copy
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lungcare import gate, influence
from lungcare.bundle import Card
from lungcare.calibration import calibrated
from lungcare.conditions import CODES
from lungcare.examples import FrozenExample, FrozenExamples, checksum, frozen_examples
from lungcare.film import decode, network_input
from lungcare.margins import framings
from lungcare.reader import Reader
from lungcare.reading import FilmError, Reading
from lungcare.settings import Settings

# In the order in which a film passes them.
STAGES = ("file", "decode", "gate", "scale", "network", "calibration", "map", "reading")
_GRID = 8
_FEATURES = 32
_DIGITS = 7


@dataclass(frozen=True)
class Compared:
    """One example. differences: the largest of each stage that was reached, infinite where nothing can be compared."""

    example: FrozenExample
    differences: dict[str, float]

    def failed(self, tolerance: float) -> str | None:
        """The first stage that differs."""
        return next((stage for stage, difference in self.differences.items() if not difference <= tolerance), None)


@dataclass(frozen=True)
class Verdict:
    """What the self-check of a model came to."""

    model: str
    tolerance: float
    films: tuple[Compared, ...]

    @property
    def is_checked(self) -> bool:
        """Whether there was any example to check by."""
        return bool(self.films)

    @property
    def stage(self) -> str | None:
        """The first stage that differs on any example."""
        failed = {film.failed(self.tolerance) for film in self.films}
        return next((stage for stage in STAGES if stage in failed), None)

    @property
    def largest(self) -> float:
        """The largest difference of all."""
        return max((max(film.differences.values()) for film in self.films), default=0.0)

    def sentence(self) -> str:
        """The verdict in one line, for those who run the service."""
        if not self.is_checked:
            return f"{self.model}: its files are whole; it has no examples to check the reading by."
        if self.stage is None:
            return (
                f"{self.model}: whole. {len(self.films)} synthetic examples read as when it was published "
                f"(largest difference {self.largest:.1g}, {self.tolerance:g} allowed)."
            )
        count = sum(film.failed(self.tolerance) is not None for film in self.films)
        return (
            f"{self.model}: the stage {self.stage} differs from when it was published, "
            f"on {count} of {len(self.films)} synthetic examples. Do not trust its readings."
        )

    def table(self) -> str:
        """One line for each example: the largest difference at each stage."""
        width = max(len(film.example.file) for film in self.films)
        lines = [f"{'synthetic example, no patient':<{width}}" + "".join(f"{stage:>13}" for stage in STAGES)]
        for film in self.films:
            cells = [f"{film.differences[stage]:.1g}" if stage in film.differences else "-" for stage in STAGES]
            mark = "" if film.failed(self.tolerance) is None else f"  {film.failed(self.tolerance)} differs"
            lines.append(f"{film.example.file:<{width}}" + "".join(f"{cell:>13}" for cell in cells) + mark)
        return "\n".join(lines)


def selfcheck(reader: Reader) -> Verdict:
    """Compare what a reader makes of its bundle's examples with what is frozen there.

    The environment's own settings, such as a prevalence, do not count. On a GPU without TensorFloat-32 while it lasts.
    """
    from lungcare.runtime import exactly

    plain = under_defaults(reader)
    frozen = frozen_examples(reader.bundle)
    with exactly() as tolerance:
        films = tuple(_compared(plain, film, frozen) for film in frozen.films) if frozen else ()
    return Verdict(reader.tag, tolerance, films)


def under_defaults(reader: Reader) -> Reader:
    """The same networks, with the settings as they are where the environment sets nothing."""
    plain = copy.copy(reader)
    plain.settings = Settings.model_construct()
    return plain


def figures(reader: Reader, data: bytes) -> tuple[dict[str, list[float]], Reading]:
    """What each stage from decoding to the map makes of a film, in a few figures, and the reading.

    Raises FilmError where the film is refused.
    """
    made: dict[str, list[float]] = {}
    reading = None
    for stage, told in _stages(reader, data):
        if stage == "reading":
            reading = told
        else:
            made[stage] = [round(float(figure), _DIGITS) for figure in told]
    return made, reading


def settings_in_force(card: Card) -> dict[str, dict[str, float | str]]:
    """The thresholds of each stage: the gate's rules and card, and what turns the network's figures into a reading."""
    rules = {name: getattr(gate, name) for name in ("DARKEST", "BRIGHTEST", "LEAST_CONTRAST", "MOST_EVEN")}
    of_gate = card.gate.model_dump(include={"least_frontal", "most_distance", "sure"}) if card.gate else {}
    reading: dict[str, float | str] = {"temperature": card.calibration.temperature}
    for code, slope, offset in zip(CODES, card.calibration.slopes, card.calibration.offsets, strict=True):
        reading |= {f"{code}.slope": slope, f"{code}.offset": offset}
    if card.decisions:
        reading |= {"score": card.decisions.certainty.score, "least": card.decisions.certainty.least}
        for code, points in card.decisions.points.items():
            reading[f"{code}.screening"] = points.screening.threshold
            reading[f"{code}.balanced"] = points.balanced.threshold
    return {"gate": rules | of_gate, "calibration": reading}


def _stages(reader: Reader, data: bytes):
    """Each stage of a film and what it made, as it passes them. Raises FilmError at the stage that refuses."""
    card = reader.bundle.card
    side = card.input.size
    film = decode(data, reader.settings.max_pixels, side)
    yield "decode", [film.height, film.width, *_sampled(film.pixels)]
    framed = framings(film, side)
    film = framed[0]
    told = list(vars(gate.quality(film)).values())
    if card.gate:
        signals = reader.gate.signals(film)
        told += [*signals.kinds.values(), *signals.turns, signals.inverted, signals.distance]
    film = reader.gate.check(*framed)
    yield "gate", told
    square = network_input(film, side)
    yield "scale", _sampled(square[..., 0] / 255)
    seen = reader.network.look(square[np.newaxis])
    features = seen.features.ravel()
    yield "network", [*seen.probabilities[0], *features[:: max(1, features.size // _FEATURES)]]
    even = calibrated(seen.probabilities, card.calibration)[0]
    yield "calibration", even
    if seen.influence is not None:
        yield "map", influence.class_map(seen.influence[0], int(even.argmax())).ravel()
    yield "reading", reader.read(data)


def _sampled(pixels: np.ndarray) -> list[float]:
    """The mean of a film and its levels at 8 by 8 places: what moves, turns, scales or recolours it changes them."""
    rows, columns = (np.linspace(0, length - 1, _GRID + 2).round().astype(int)[1:-1] for length in pixels.shape)
    return [float(pixels.mean(dtype=np.float64)), *pixels[np.ix_(rows, columns)].ravel().tolist()]


def _compared(reader: Reader, example: FrozenExample, frozen: FrozenExamples) -> Compared:
    """An example, stage by stage; what stops it stands at the stage that it did not pass."""
    data = (reader.bundle.folder / example.file).read_bytes()
    differences = {"file": 0.0 if checksum(data) == example.sha256 else math.inf}
    settings = settings_in_force(reader.bundle.card)
    expected: dict[str, Any] = {**example.stages, "reading": example.reading}
    wanted = iter(stage for stage in STAGES[1:] if stage in expected)
    try:
        for stage, told in _stages(reader, data):
            next(wanted, None)
            measure: Callable = _reading_difference if stage == "reading" else _difference
            difference = measure(told, expected[stage]) if stage in expected else math.inf
            if settings.get(stage) != frozen.settings.get(stage):
                difference = math.inf
            differences[stage] = difference
    except FilmError:
        differences[next(wanted)] = math.inf
    return Compared(example, differences)


def _difference(told, expected: list[float]) -> float:
    """The largest difference of two lists of figures; of those above 1, as a share."""
    here, there = np.asarray(told, float), np.asarray(expected, float)
    if here.shape != there.shape:
        return math.inf
    largest = float((np.abs(here - there) / np.maximum(1, np.abs(there))).max())
    return largest if math.isfinite(largest) else math.inf


def _reading_difference(told: Reading, expected: Reading) -> float:
    """The largest difference of two readings' probabilities; infinite where they say anything else differently."""
    if told.outcome != "read" or _words(told) != _words(expected):
        return math.inf
    shares = [[getattr(reading.probabilities, code) for code in CODES] for reading in (told, expected)]
    return _difference(*shares)


def _words(reading: Reading) -> str:
    """All that a reading says but for its probabilities."""
    return json.dumps(reading.model_dump(mode="json", exclude={"probabilities"}), sort_keys=True)
