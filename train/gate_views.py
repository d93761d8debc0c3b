"""What the gate learns from: films and pictures, turned, inverted, cut and put together, all on one path.

The path is the same for films and for everything else, so that the style of a collection tells nothing: grey, cut to
its content, padded to a square, moved, degraded as in `train.augment`, brought down to the gate's size.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from train.augment import Geometry, degrade, move
from train.photograph import careful, careless, photograph

KINDS = (
    "frontal",
    "not_a_chest_film",
    "lateral_film",
    "part_of_chest",
    "several_in_one",
    "photograph_of_film",
)
SIDE = 128
GEOMETRY = Geometry(rotation=8, shift=0.05, zoom=0.15, stretch=0.25)
DEGRADED = {
    "equalise": 0.25,
    "tone": 0.6,
    "shade": 0.2,
    "resample": 0.5,
    "blur": 0.2,
    "sharpen": 0.15,
    "noise": 0.3,
    "compress": 0.4,
    "letters": 0.25,
    "corners": 0.3,
    "frame": 0.25,
}
PHOTOGRAPHED = 0.15


@dataclass(frozen=True)
class Label:
    """What a view shows. kind: one of KINDS. turns: quarter turns to the left, as of np.rot90. inverted: negative."""

    kind: str
    turns: int = 0
    inverted: bool = False


def content(packed: np.ndarray) -> np.ndarray:
    """A packed square without its black padding."""
    rows, columns = np.flatnonzero(packed.any(axis=1)), np.flatnonzero(packed.any(axis=0))
    if not rows.size:
        return packed
    return packed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def padded(pixels: np.ndarray) -> np.ndarray:
    """uint8 (h, w) -> the square around it, black where there is nothing."""
    height, width = pixels.shape
    side = max(height, width)
    canvas = np.zeros((side, side), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    canvas[top : top + height, left : left + width] = pixels
    return canvas


def view(pixels: np.ndarray, label: Label, size: int, rng: np.random.Generator) -> np.ndarray:
    """Unpadded picture that is upright and positive -> uint8 (size, size), as `label` says, moved and degraded."""
    if rng.random() < PHOTOGRAPHED and label.kind != "photograph_of_film":
        pixels = photograph(pixels, careful(rng), rng)
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]  # before it is turned: after that, left would become right
    if label.inverted:
        pixels = 255 - pixels
    moved = move(padded(np.rot90(pixels, label.turns)), SIDE, GEOMETRY, rng)
    return resized(degrade(moved, DEGRADED, rng), size)


def plain(pixels: np.ndarray, label: Label, size: int) -> np.ndarray:
    """As `view`, neither moved nor degraded."""
    pixels = 255 - pixels if label.inverted else pixels
    return resized(padded(np.rot90(pixels, label.turns)), size)


def resized(pixels: np.ndarray, size: int) -> np.ndarray:
    """uint8 square -> uint8 (size, size)."""
    return cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)


def any_label(kind: str, rng: np.random.Generator, as_is: float) -> Label:
    """A label with turns and inversion at random; `as_is`: how often upright and positive."""
    if rng.random() < as_is:
        return Label(kind)
    return Label(kind, int(rng.integers(4)), bool(rng.random() < 0.4))


def trimmed(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A film without up to 7 % at each edge: still a whole chest."""
    height, width = film.shape
    top, bottom, left, right = rng.uniform(0, 0.07, 4)
    return film[int(top * height) : height - int(bottom * height), int(left * width) : width - int(right * width)]


def cut(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Any piece of at least half the height and half the width of a picture."""
    return _piece(picture, *rng.uniform(0.5, 1, 2), rng)


def part(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One lung, the upper or lower half, or a smaller piece of a film."""
    height, width = film.shape
    which = rng.choice(["lung", "half", "piece"], p=[0.5, 0.3, 0.2])
    if which == "lung":
        own = film[int(rng.uniform(0, 0.12) * height) : height - int(rng.uniform(0, 0.2) * height)]
        start, end = int(rng.uniform(0, 0.1) * width), int(rng.uniform(0.36, 0.54) * width)
        return own[:, start:end] if rng.random() < 0.5 else own[:, width - end : width - start]
    if which == "half":
        border = int(rng.uniform(0.34, 0.5) * height)
        return film[:border] if rng.random() < 0.5 else film[-border:]
    return _piece(film, *rng.uniform(0.3, 0.55, 2), rng)


def several(pictures: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Two, three or four pictures on one page."""
    level, side = int(rng.choice([0, 255, 60])), 128
    gap = int(rng.uniform(0, 0.06) * side)
    tiles = [cv2.resize(picture, (int(side * rng.uniform(0.8, 1)), side)) for picture in pictures]
    if rng.random() < 0.6:
        tiles = [cv2.resize(tile, (side, side)) for tile in tiles]
    columns = len(tiles) if len(tiles) < 4 and rng.random() < 0.75 else 1 if len(tiles) < 4 else 2
    rows = [_beside(tiles[start : start + columns], gap, level, axis=1) for start in range(0, len(tiles), columns)]
    width = max(row.shape[1] for row in rows)
    rows = [cv2.copyMakeBorder(row, 0, 0, 0, width - row.shape[1], cv2.BORDER_CONSTANT, value=level) for row in rows]
    return _beside(rows, gap, level, axis=0)


def far(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A careless picture of a film."""
    return photograph(film, careless(rng), rng)


def scrambled(film: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A film's grey levels without a chest: its tiles in another order, stirred, or half of it another picture."""
    side = 128
    film, other = cv2.resize(film, (side, side)), cv2.resize(other, (side, side))
    which = rng.choice(["tiles", "stirred", "half", "levels"])
    if which == "tiles":
        number = int(rng.choice([2, 4]))
        step = side // number
        tiles = film.reshape(number, step, number, step).swapaxes(1, 2).reshape(-1, step, step)
        order = np.roll(np.arange(len(tiles)), int(rng.integers(1, len(tiles)))) if number == 2 else None
        order = rng.permutation(len(tiles)) if order is None else order
        return tiles[order].reshape(number, number, step, step).swapaxes(1, 2).reshape(side, side)
    if which == "stirred":
        shifts = [_clouds(side, 4, rng) * 2 - 1 for _ in range(2)]
        y, x = np.mgrid[:side, :side].astype(np.float32)
        reach = rng.uniform(0.25, 0.5) * side
        return cv2.remap(film, x + reach * shifts[0], y + reach * shifts[1], cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT)
    if which == "half":
        mixed = film.copy()
        mixed[:, side // 2 :] = other[:, side // 2 :]
        return mixed if rng.random() < 0.5 else np.ascontiguousarray(mixed[:, ::-1])
    clouds = _clouds(side, int(rng.integers(3, 12)), rng)
    order = np.argsort(clouds, axis=None)
    levelled = np.empty(side * side, np.uint8)
    levelled[order] = np.sort(film, axis=None)
    return levelled.reshape(side, side)


def drawn(rng: np.random.Generator) -> np.ndarray:
    """Noise, clouds, gradients, stripes, shapes, lines of text."""
    side = 128
    which = rng.choice(["noise", "clouds", "gradient", "stripes", "shapes", "text"])
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j].astype(np.float32)
    if which == "noise":
        return rng.integers(0, 256, (side, side)).astype(np.uint8)
    if which == "clouds":
        return (255 * _clouds(side, int(rng.integers(2, 30)), rng)).astype(np.uint8)
    if which == "gradient":
        angle = rng.uniform(0, 2 * np.pi)
        ramp = np.hypot(x, y) if rng.random() < 0.4 else x * np.cos(angle) + y * np.sin(angle)
        return cv2.normalize(ramp, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    if which == "stripes":
        angle, number = rng.uniform(0, 2 * np.pi), rng.uniform(3, 40)
        wave = np.sin(number * (x * np.cos(angle) + y * np.sin(angle)))
        wave = wave * np.sin(number * (y * np.cos(angle) - x * np.sin(angle))) if rng.random() < 0.5 else wave
        return ((np.sign(wave) if rng.random() < 0.5 else wave) * 127 + 128).astype(np.uint8)
    page = np.full((side, side), int(rng.choice([0, 255, int(rng.integers(256))])), np.uint8)
    if which == "text":
        for line in range(8, side, int(rng.integers(9, 18))):
            words = "".join(rng.choice(list("abcdefgh  ijklmnop rstuvw"), int(rng.integers(5, 26))))
            ink = int(rng.choice([0, 255]))
            cv2.putText(page, words, (int(rng.integers(0, 20)), line), 0, rng.uniform(0.25, 0.5), ink, 1, cv2.LINE_AA)
        return page
    for _ in range(int(rng.integers(2, 12))):
        level, thick = int(rng.integers(256)), int(rng.choice([-1, -1, 1, 3]))
        centre, size = rng.integers(0, side, 2).tolist(), rng.integers(4, side // 2, 2).tolist()
        if rng.random() < 0.6:
            cv2.ellipse(page, centre, size, int(rng.integers(180)), 0, 360, level, thick, cv2.LINE_AA)
        else:
            cv2.rectangle(page, centre, (centre[0] + size[0], centre[1] + size[1]), level, thick)
    return cv2.GaussianBlur(page, (0, 0), rng.uniform(0.3, 4))


def _piece(picture: np.ndarray, tall: float, wide: float, rng: np.random.Generator) -> np.ndarray:
    """A piece of these shares of the height and the width, anywhere."""
    height, width = picture.shape
    tall, wide = max(8, int(tall * height)), max(8, int(wide * width))
    top, left = int(rng.integers(0, height - tall + 1)), int(rng.integers(0, width - wide + 1))
    return picture[top : top + tall, left : left + wide]


def _beside(tiles: list[np.ndarray], gap: int, level: int, axis: int) -> np.ndarray:
    between = [(0, 0), (0, 0)]
    between[axis] = (0, gap)
    spaced = [np.pad(tile, between, constant_values=level) for tile in tiles[:-1]]
    return np.concatenate([*spaced, tiles[-1]], axis=axis)


def _clouds(side: int, cells: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise, 0 to 1."""
    clouds = cv2.resize(rng.random((cells, cells), np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    return cv2.normalize(clouds, None, 0, 1, cv2.NORM_MINMAX)
