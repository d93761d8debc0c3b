"""Radiograph -> accepted, perhaps set right, or a FilmError that says why not.

First come the rules of quality: what no reader could read, whatever it shows. They look at the grey levels alone. Then
a small network of the bundle says whether the picture is a frontal chest film at all, and which way up.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lungcare.bundle import GateCard
from lungcare.film import Radiograph, square
from lungcare.margins import WIDE_MARGINS, without_margins
from lungcare.reading import FilmError
from lungcare.trace import stage

# Chosen on the films of the training and validation parts, of which they refuse next to none: python -m train quality
DARKEST = 0.33
BRIGHTEST = 0.72
LEAST_CONTRAST = 0.22
MOST_EVEN = 0.75

# The kind that is read; every other kind is the code of a refusal.
FRONTAL = "frontal"
TURNS = 4
# What a film was turned by, in quarters to the left; what cannot be set right surely is refused.
_TURNED = ("", "turned_left", "upside_down", "turned_right")
_REFUSED_AS = {"turned_left": "sideways", "turned_right": "sideways"}

_SIDE = 256
_BINS = 64


@dataclass(frozen=True)
class Quality:
    """What the rules look at; all from 0 to 1.

    dark, bright: levels that 2 % of the film are below, or above; lowest, highest: that 0.1 % are. even: share of the
    film that has one grey level, give or take 1/64.
    """

    lowest: float
    dark: float
    bright: float
    highest: float
    even: float


def quality(radiograph: Radiograph) -> Quality:
    """Measure a film, on every n-th pixel of it."""
    step = max(1, max(radiograph.pixels.shape) // _SIDE)
    levels = np.sort(radiograph.pixels[::step, ::step], axis=None)
    places = [int(share * (levels.size - 1)) for share in (0.001, 0.02, 0.98, 0.999)]
    lowest, dark, bright, highest = levels[places].tolist()
    below = np.searchsorted(levels, np.arange(1, _BINS, dtype=np.float32) / _BINS)
    shares = np.diff(below, prepend=0, append=levels.size) / levels.size
    return Quality(lowest, dark, bright, highest, even=float((shares[:-1] + shares[1:]).max()))


def fault(measured: Quality) -> str | None:
    """The code of what is wrong with a film of this quality, if anything."""
    if measured.even > MOST_EVEN and measured.highest - measured.lowest >= LEAST_CONTRAST:
        return "nearly_empty"
    if measured.bright < DARKEST:
        return "too_dark"
    if measured.dark > BRIGHTEST:
        return "too_bright"
    if measured.bright - measured.dark < LEAST_CONTRAST:
        return "no_contrast"
    return None


def check_quality(radiograph: Radiograph) -> None:
    """Accept a film, or raise FilmError with the code of what is wrong with its grey levels."""
    code = fault(quality(radiograph))
    if code is not None:
        raise FilmError(code)


@dataclass(frozen=True)
class Signals:
    """What the gate's network says of one picture.

    kinds: probability of each kind that the card names. turns: probability that the film was turned by 0, 1, 2, 3
    quarters to the left. inverted: probability that black and white are exchanged. distance: how far its features lie
    from those of frontal chest films (Mahalanobis, after Lee et al., NeurIPS 2018).
    """

    kinds: dict[str, float]
    turns: tuple[float, ...]
    inverted: float
    distance: float

    @property
    def quarters(self) -> int:
        """By how many quarter turns to the left the film is most likely turned."""
        return int(np.argmax(self.turns))


class Gate:
    """Lets frontal chest films through, and sets right those that lie wrong or are inverted, where that is sure.

    card: the thresholds. network: float32 (n, size, size, 1), grey levels 0 to 255 -> float32 (n, columns), as
    `columns` counts them. Without both, as in a bundle without a gate, only the rules of quality count.
    """

    def __init__(self, card: GateCard | None = None, network: Callable[[np.ndarray], np.ndarray] | None = None):
        self.card = card
        self._network = network

    @stage("gate")
    def check(self, *framings: Radiograph) -> Radiograph:
        """The film as it is to be read: the first of its framings that may be.

        framings: a film of any size; the reader gives those of `lungcare.margins.framings`, at the size of its network.
        Raises FilmError with the code of why the last one may not be read.
        """
        *others, last = framings
        for framing in others:
            try:
                return self._checked(framing)
            except FilmError:
                continue
        return self._checked(last)

    def _checked(self, radiograph: Radiograph) -> Radiograph:
        """The film as it is to be read. Raises FilmError."""
        check_quality(radiograph)
        if self.card is None:
            return radiograph
        signals = self.signals(radiograph)
        self._check_kind(signals)
        wrong = self._wrong(signals)
        if not wrong:
            return radiograph
        film = righted(radiograph, wrong)
        after = self.signals(film)
        self._check_kind(after)
        if (wrong[-1] in _TURNED and max(signals.turns) < self.card.sure) or self._wrong(after):
            raise FilmError(_REFUSED_AS.get(wrong[-1], wrong[-1]))
        return film

    def signals(self, radiograph: Radiograph) -> Signals:
        """What the network says of a film as it is."""
        film = square(radiograph.pixels, self.card.size) * np.float32(255)
        return signals_of(self._network(film[np.newaxis, ..., np.newaxis])[0], self.card.kinds)

    def _check_kind(self, signals: Signals) -> None:
        """Refuse what is no frontal chest film, by the likeliest other kind, and what resembles nothing known."""
        if signals.kinds[FRONTAL] < self.card.least_frontal:
            others = {kind: share for kind, share in signals.kinds.items() if kind != FRONTAL}
            raise FilmError(max(others, key=others.__getitem__))
        if signals.distance > self.card.most_distance:
            raise FilmError("not_a_chest_film")

    def _wrong(self, signals: Signals) -> tuple[str, ...]:
        """What is to be set right, as codes of corrections.

        A film counts as upright and positive unless the contrary is sure: of the films that are sent nearly all are,
        of those that the network learned from only half.
        """
        inverted = signals.inverted >= self.card.sure
        turned = signals.turns[0] <= 1 - self.card.sure
        return ("inverted",) * inverted + ((_TURNED[signals.quarters],) if turned and signals.quarters else ())


def righted(radiograph: Radiograph, corrections: tuple[str, ...]) -> Radiograph:
    """The film with these corrections made, beside those that it has."""
    if not corrections:
        return radiograph
    pixels = (without_margins(radiograph) if WIDE_MARGINS in corrections else radiograph).pixels
    for quarters, code in enumerate(_TURNED):
        if code in corrections:
            pixels = np.rot90(pixels, -quarters)
    if "inverted" in corrections:
        pixels = np.subtract(1, pixels, order="C")
    return Radiograph(np.ascontiguousarray(pixels), radiograph.corrections + corrections)


def columns(kinds: tuple[str, ...]) -> int:
    """How many figures the gate's network gives: the kinds, the quarter turns, inverted, distance."""
    return len(kinds) + TURNS + 2


def signals_of(row: np.ndarray, kinds: tuple[str, ...]) -> Signals:
    """What one row of the network's output says. row: float (columns,)."""
    count = len(kinds)
    return Signals(
        kinds=dict(zip(kinds, row[:count].tolist(), strict=True)),
        turns=tuple(row[count : count + TURNS].tolist()),
        inverted=float(row[count + TURNS]),
        distance=float(row[-1]),
    )
