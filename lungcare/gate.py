"""Radiograph -> accepted, or a FilmError that says why not.

Here stand the rules of quality: what no reader could read, whatever it shows. They look at the grey levels alone. What
decides whether the picture is a frontal chest film at all has its place behind them, in `check`.
"""

from dataclasses import dataclass

import numpy as np

from lungcare.film import Radiograph
from lungcare.reading import FilmError
from lungcare.trace import stage

# Chosen on the films of the training and validation parts, of which they refuse next to none: python -m train quality
DARKEST = 0.33
BRIGHTEST = 0.72
LEAST_CONTRAST = 0.22
MOST_EVEN = 0.75

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
    pixels = radiograph.pixels[::step, ::step]
    lowest, dark, bright, highest = (float(level) for level in np.percentile(pixels, (0.1, 2, 98, 99.9)))
    shares = np.histogram(pixels, _BINS, (0, 1))[0] / pixels.size
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


@stage("gate")
def check(radiograph: Radiograph) -> None:
    """Accept a film, or raise FilmError with the code of what is wrong with it."""
    code = fault(quality(radiograph))
    if code is not None:
        raise FilmError(code)
