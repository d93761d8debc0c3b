"""A pneumothorax drawn into a film that has none, so that films of every collection show one.

All real ones come from one archive, whose look a network may read for them. What is drawn is what radiologists look
for: a thin white line, the lung within it smaller and a little denser, and between it and the wall of the chest air
without the marks of vessels, the ribs seen through it. A fold of skin, which is often taken for one (O'Connor & Morgan,
BMJ 2005), is an edge without a line, and vessels go on beyond it.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from train.halves import LEFT, SMALLEST, lung_in

# Rays about the hilum that the lung is measured along.
_RAYS = 256
# Cosine of a ray's angle to the side, below which the lung stays where it is: towards the heart.
_MEDIAL = -0.3
# How far the lung may draw back, as a share of the way from the hilum to the wall, and how often.
_RETRACTIONS = ((0.05, 0.15), (0.12, 0.3), (0.25, 0.5))
_CHANCES = (0.35, 0.4, 0.25)
# Above it the whole lung draws back, not one stretch of it alone.
_LARGE = 0.25
_SMALLEST_AIR = 0.0008
_SIDE = 256


@dataclass(frozen=True)
class Drawn:
    """A film with something drawn into it, uint8 (side, side).

    outline: of a pneumothorax, uint8 (side, side), 255 where the air is; None of a fold.
    """

    film: np.ndarray
    outline: np.ndarray | None


@dataclass(frozen=True)
class _Retraction:
    """A lung drawn back towards its hilum: float (side, side) each, but for the place of the hilum.

    lung: 1 where it was. ray: angle, 0 to the side, -pi / 2 upwards. way: pixels from the hilum. wall, edge: how many
    of these the lung reached, and reaches, along the ray. kept: the share of them that it keeps. softness, breadth: of
    the edge and of the line along it, in pixels.
    """

    hilum: tuple[float, float]
    outwards: int
    lung: np.ndarray
    ray: np.ndarray
    way: np.ndarray
    wall: np.ndarray
    edge: np.ndarray
    kept: np.ndarray
    softness: float
    breadth: float

    @property
    def gap(self) -> np.ndarray:
        return self.wall - self.edge


def collapsed(film: np.ndarray, lungs: np.ndarray, half: int, rng: np.random.Generator) -> Drawn | None:
    """A film with a pneumothorax in one half; None where its lungs leave no room for one.

    film: uint8 (side, side). lungs: uint8 (128, 128), 1 where it is lung. half: LEFT or RIGHT, as the picture is seen.
    """
    seen = _retracted(lungs, half, len(film), rng)
    if seen is None:
        return None
    pixels = film.astype(np.float32)
    inside = 1 / (1 + np.exp(np.clip((seen.way - seen.edge) / seen.softness, -30, 30)))
    span = _span(pixels, seen.lung)
    detail = pixels - _blurred(pixels, 2.2)
    lung, air = _smaller(pixels, detail, seen, span, rng), _air(pixels, detail, seen, span, rng)
    opened = np.where(seen.gap > 0.7, air, pixels)
    reach = seen.lung * (seen.way <= seen.wall + 3)
    drawn = pixels * (1 - reach) + reach * (inside * lung + (1 - inside) * opened)
    line = np.exp(-0.5 * ((seen.way - seen.edge) / seen.breadth) ** 2) * np.clip((seen.gap - 1) / 2, 0, 1) * seen.lung
    drawn += line * (np.cos(seen.ray) > _MEDIAL) * span * rng.uniform(0.08, 0.35)
    outline = (255 * (1 - inside) * seen.lung * np.clip(seen.gap / 1.5, 0, 1)).astype(np.uint8)
    return Drawn(_levels(drawn), outline) if (outline > 127).mean() >= _SMALLEST_AIR else None


def folded(film: np.ndarray, lungs: np.ndarray, half: int, rng: np.random.Generator) -> Drawn | None:
    """A film with a fold of skin over one lung, which is no pneumothorax. Arguments and None as for `collapsed`."""
    seen = _retracted(lungs, half, len(film), rng)
    if seen is None:
        return None
    pixels = film.astype(np.float32)
    short = seen.edge - seen.way
    ramp = np.exp(-np.clip(short, 0, None) / rng.uniform(4, 12)) * (short > 0) * np.clip(seen.gap / 1.5, 0, 1)
    return Drawn(_levels(pixels + ramp * seen.lung * rng.uniform(0.1, 0.35) * _span(pixels, seen.lung)), None)


def _retracted(lungs: np.ndarray, half: int, side: int, rng: np.random.Generator) -> _Retraction | None:
    """The lung of one half drawn back, most at its top or its side; None where there is none, or a sliver of it."""
    lung = _one_lung(lungs, half, side)
    if lung is None:
        return None
    rows, columns = np.nonzero(lung > 0.5)
    height, width = np.ptp(rows), np.ptp(columns)
    if height < 30 * side / _SIDE or width < 15 * side / _SIDE:
        return None
    outwards = -1 if half == LEFT else 1
    y0 = rows.min() + rng.uniform(0.48, 0.6) * height
    x0 = columns.max() - 0.12 * width if half == LEFT else columns.min() + 0.12 * width
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    down, out = y - y0, (x - x0) * outwards
    way, ray = np.hypot(down, out), np.arctan2(down, out)
    angles = np.linspace(-np.pi, np.pi, _RAYS, endpoint=False)
    reached = _smoothed(_reach(lung, x0, y0, outwards, angles), 9)
    kept = _kept(angles, rng)
    place = (ray + np.pi) / (2 * np.pi) * _RAYS
    wall, share = (np.interp(place, np.arange(_RAYS + 1), np.append(rays, rays[0])) for rays in (reached, kept))
    thickness = rng.uniform(0.5, 0.9), rng.uniform(0.6, 1.1)
    return _Retraction((x0, y0), outwards, lung, ray, way, wall, wall * share, share, *thickness)


def _one_lung(lungs: np.ndarray, half: int, side: int) -> np.ndarray | None:
    """The largest piece of the lungs in one half, its rim soft: float32 (side, side); None where they do not part."""
    mask = lung_in(lungs, half)
    if mask is None:
        return None
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return None
    mask = pieces == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])
    if mask.mean() < SMALLEST:
        return None
    return cv2.GaussianBlur(cv2.resize(mask.astype(np.float32), (side, side)), (0, 0), 1.5)


def _reach(lung: np.ndarray, x0: float, y0: float, outwards: int, angles: np.ndarray) -> np.ndarray:
    """How many pixels the lung reaches from a point along each ray: float32 (rays,)."""
    step = 0.5
    ways = np.arange(0, 1.5 * len(lung), step, dtype=np.float32)
    x = (x0 + np.cos(angles)[:, np.newaxis] * ways * outwards).astype(np.float32)
    y = (y0 + np.sin(angles)[:, np.newaxis] * ways).astype(np.float32)
    is_lung = cv2.remap(lung, x, y, cv2.INTER_LINEAR) > 0.5
    last = is_lung.shape[1] - 1 - is_lung[:, ::-1].argmax(axis=1)
    return np.where(is_lung.any(axis=1), last * step, 0).astype(np.float32)


def _kept(angles: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The share of its way to the wall that the lung keeps along each ray: float (rays,)."""
    retraction = rng.choice([rng.uniform(*each) for each in _RETRACTIONS], p=_CHANCES)
    towards, breadth = rng.uniform(-1.5, -0.2), rng.uniform(0.5, 1.1)
    drawn = np.exp(-0.5 * ((angles - towards) / breadth) ** 2)
    if retraction > _LARGE:
        drawn = np.maximum(drawn, np.exp(-0.5 * ((angles + 0.5) / 1.2) ** 2))
    uneven = sum(rng.normal(0, 0.06 / f) * np.sin(f * angles + rng.uniform(0, 6.28)) for f in (2, 3, 5))
    kept = np.where(np.cos(angles) < _MEDIAL, 1, 1 - retraction * drawn * (1 + uneven))
    return np.clip(_smoothed(kept, 6), 0.35, 1)


def _smoothed(rays: np.ndarray, reach: int) -> np.ndarray:
    window = np.hanning(2 * reach + 1)
    around = np.concatenate([rays[-reach:], rays, rays[:reach]])
    return np.convolve(around, window / window.sum(), "same")[reach:-reach]


def _smaller(
    pixels: np.ndarray, detail: np.ndarray, seen: _Retraction, span: float, rng: np.random.Generator
) -> np.ndarray:
    """The lung within its new edge: its vessels closer together and denser, its ribs where they were."""
    x0, y0 = seen.hilum
    before = seen.way / seen.kept
    x = (x0 + before * np.cos(seen.ray) * seen.outwards).astype(np.float32)
    y = (y0 + before * np.sin(seen.ray)).astype(np.float32)
    vessels = cv2.remap(detail, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return pixels - detail + vessels * rng.uniform(1, 1.25) + span * rng.uniform(0.1, 0.5) * (1 - seen.kept) * 1.2


def _air(
    pixels: np.ndarray, detail: np.ndarray, seen: _Retraction, span: float, rng: np.random.Generator
) -> np.ndarray:
    """What is seen where the air is: ribs without vessels, darker, of the film's own grain."""
    fine = detail - cv2.GaussianBlur(detail, (0, 0), 0.8)
    grain = rng.normal(0, 1, pixels.shape).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), rng.uniform(0.4, 0.9))
    grain *= np.median(np.abs(fine[seen.lung > 0.5])) / np.median(np.abs(grain)) * rng.uniform(0.8, 1.3)
    return _blurred(pixels, rng.uniform(1.1, 2.2)) - span * rng.uniform(0.05, 0.4) + grain


def _blurred(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """sigma: in pixels of a film of 256."""
    return cv2.GaussianBlur(pixels, (0, 0), sigma * len(pixels) / _SIDE)


def _span(pixels: np.ndarray, lung: np.ndarray) -> float:
    """How far the grey levels of a lung reach, at least 12 of 255."""
    low, high = np.percentile(pixels[lung > 0.5], [20, 80])
    return max(high - low, 12)


def _levels(pixels: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
