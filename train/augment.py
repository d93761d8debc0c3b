"""What a training film goes through. Every transform is one function: uint8 (h, w) and a generator in, uint8 out."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from scipy import fft

from lungcare.lungs import Box
from train.photograph import hasty, photograph

Transform = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Geometry:
    """How far a film may be moved; each amount is drawn evenly between minus and plus the figure.

    rotation: degrees. shift: share of the side. zoom: share (0.1: 0.9 to 1.1 times).
    stretch: share by which one direction may grow against the other. flip: probability of a left-right flip.
    lungs: probability that not the whole film fills the square but the lungs, with some margin.
    """

    rotation: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    stretch: float = 0.0
    flip: float = 0.0
    lungs: float = 0.0


MARGIN = (1.05, 1.4)
# How far transplanted lungs reach beyond what was found, and how softly they end, in shares of the side.
RIM, FEATHER = 0.03, 0.015


def move(
    film: np.ndarray, size: int, geometry: Geometry, rng: np.random.Generator, lungs: Box | None = None
) -> np.ndarray:
    """Square film of any side -> uint8 (size, size), moved at random within `geometry`, one interpolation in all."""
    return _warp(film, placement(film.shape[0], size, geometry, rng, lungs), size)


def placement(
    side: int, size: int, geometry: Geometry, rng: np.random.Generator, lungs: Box | None = None
) -> np.ndarray:
    """Where a film of `side` px goes on a square of `size` px, at random within `geometry`: affine (2, 3)."""
    angle = np.deg2rad(rng.uniform(-1, 1) * geometry.rotation)
    zoom = np.exp(rng.uniform(-1, 1) * np.log1p(geometry.zoom))
    stretch = np.exp(rng.uniform(-0.5, 0.5) * np.log1p(geometry.stretch))
    shift = rng.uniform(-1, 1, 2) * geometry.shift * size
    mirror = -1 if rng.random() < geometry.flip else 1
    shown, centre = side, np.full(2, (side - 1) / 2)
    if geometry.lungs and rng.random() < geometry.lungs and lungs is not None:
        centre, extent = _middle_and_extent(lungs, side)
        shown = extent.max() * rng.uniform(*MARGIN)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag([mirror * stretch, 1 / stretch]) * zoom * size / shown
    return np.column_stack([matrix, (size - 1) / 2 + shift - matrix @ centre])


@dataclass(frozen=True)
class Chest:
    """A film and its lungs. film: uint8 (side, side). mask: uint8 (128, 128), 1 where it is lung. box: around them."""

    film: np.ndarray
    mask: np.ndarray
    box: Box


def transplant(
    lungs: Chest, body: Chest | None, size: int, geometry: Geometry, rng: np.random.Generator, levels: bool = True
) -> np.ndarray:
    """The lungs of one film in the body of another, or on even grey: what lies around the lungs shall mean nothing.

    Stretched so that their boxes meet. levels: whether grey levels of the lungs are drawn towards those they cover.
    Returns uint8 (size, size), moved as by `move`. After Xiao et al., Noise or Signal (ICLR 2021).
    """
    ground = lungs if body is None else body
    there = placement(ground.film.shape[0], size, geometry, rng, ground.box)
    (middle, extent), (target, target_extent) = (
        _middle_and_extent(chest.box, chest.film.shape[0]) for chest in (lungs, ground)
    )
    scale = np.diag(target_extent / extent)
    here = np.column_stack([there[:, :2] @ scale, there[:, :2] @ (target - scale @ middle) + there[:, 2]])

    film = _warp(lungs.film, here, size).astype(np.float32)
    own = _warp(cv2.resize(lungs.mask * 255, lungs.film.shape), here, size)
    if body is None:
        covered, behind = own, np.full_like(film, _level(rng) if levels else 0)
    else:
        covered = np.maximum(own, _warp(cv2.resize(body.mask * 255, body.film.shape), there, size))
        behind = _warp(body.film, there, size).astype(np.float32)
        inside = covered > 127
        if inside.any() and levels:
            film = _towards(film, behind, inside, rng.uniform(0, 0.8))
    rim = 2 * round(RIM * size) + 1
    wide = cv2.dilate(covered, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (rim, rim)))
    share = cv2.GaussianBlur(wide.astype(np.float32) / 255, (0, 0), FEATHER * size)
    return np.clip(share * film + (1 - share) * behind + 0.5, 0, 255).astype(np.uint8)


def _towards(film: np.ndarray, other: np.ndarray, inside: np.ndarray, share: float) -> np.ndarray:
    """Mean and deviation of a film's grey levels `inside`, moved by `share` to those of another film."""
    (mean, deviation), (its_mean, its_deviation) = ((f[inside].mean(), f[inside].std() + 1) for f in (film, other))
    gain = (its_deviation / deviation) ** share
    return (film - mean) * gain + mean + share * (its_mean - mean)


def _warp(film: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    return cv2.warpAffine(film, matrix, (size, size), flags=cv2.INTER_LINEAR)


def _middle_and_extent(box: Box, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Middle and extent of a box on a film of `side` px, both (x, y) in pixels."""
    middle = np.array([box.left + box.right, box.top + box.bottom]) / 2 * side - 0.5
    return middle, np.array([box.right - box.left, box.bottom - box.top]) * side


def resample(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Down to a smaller side (96 px at least) and up again: hides the size of the original."""
    side = film.shape[0]
    small = int(rng.integers(min(96, side), side + 1))
    down = cv2.resize(film, (small, small), interpolation=cv2.INTER_AREA)
    return cv2.resize(down, (side, side), interpolation=int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC])))


def blur(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gaussian blur, sigma 0.4 to 1.5 px."""
    return cv2.GaussianBlur(film, (0, 0), rng.uniform(0.4, 1.5))


def sharpen(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Unsharp mask, as many digital units apply."""
    amount = rng.uniform(0.3, 1.5)
    return cv2.addWeighted(film, 1 + amount, cv2.GaussianBlur(film, (0, 0), rng.uniform(1, 4)), -amount, 0)


def compress(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """JPEG or WebP of quality 15 to 90, in half of the cases at a smaller side (128 px at least), then up again.

    Many collections hold small films that were compressed at their size, and traces of that must mean nothing.
    """
    side = film.shape[0]
    small = int(rng.integers(min(128, side), side + 1)) if rng.random() < 0.5 else side
    shrunk = cv2.resize(film, (small, small), interpolation=cv2.INTER_AREA)
    kind, option = ((".jpg", cv2.IMWRITE_JPEG_QUALITY), (".webp", cv2.IMWRITE_WEBP_QUALITY))[int(rng.integers(2))]
    _, coded = cv2.imencode(kind, shrunk, [option, int(rng.integers(15, 91))])
    return cv2.resize(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), (side, side), interpolation=cv2.INTER_LINEAR)


def tone(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gamma 0.6 to 1.7, contrast 0.7 to 1.4 and brightness -25 to 25 grey levels."""
    levels = (np.arange(256) / 255) ** np.exp(rng.uniform(-0.5, 0.53))
    levels = (levels - 0.5) * rng.uniform(0.7, 1.4) + 0.5 + rng.uniform(-0.1, 0.1)
    return cv2.LUT(film, (np.clip(levels, 0, 1) * 255).astype(np.uint8))


def curve(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A rising curve of grey levels through six random knots, as the tables of film and screen have."""
    rises = np.concatenate([[0], np.cumsum(rng.dirichlet(np.full(6, 2.5)))])
    return cv2.LUT(film, (np.interp(np.arange(256), np.linspace(0, 255, 7), rises) * 255).astype(np.uint8))


def equalise(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Histogram equalisation, whole or local (CLAHE), mixed with the film itself."""
    local = cv2.createCLAHE(rng.uniform(1, 4), (8, 8))
    even = cv2.equalizeHist(film) if rng.random() < 0.5 else local.apply(film)
    share = rng.uniform(0.4, 1)
    return cv2.addWeighted(even, share, film, 1 - share, 0)


def noise(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise, sigma 2 to 12 grey levels."""
    grain = np.empty(film.shape, np.int16)
    cv2.setRNGSeed(int(rng.integers(2**31)))
    cv2.randn(grain, 0, rng.uniform(2, 12))
    return cv2.add(film, grain, dtype=cv2.CV_8U)


def shade(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Uneven brightness from one side to the other, as in badly lit or badly digitised films."""
    side = film.shape[0]
    direction = rng.uniform(0, 2 * np.pi)
    line = np.linspace(-1, 1, side, dtype=np.float32)
    ramp = np.cos(direction) * line[None, :] + np.sin(direction) * line[:, None]
    return cv2.multiply(film, 1 + rng.uniform(0.05, 0.3) * ramp, dtype=cv2.CV_8U)


def uneven(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gain that changes slowly over the film, as grids, scatter and tube currents make it: deviation 5 to 20 %."""
    gain = 1 + rng.normal(0, rng.uniform(0.05, 0.2), (4, 4)).astype(np.float32)
    return cv2.multiply(film, cv2.resize(gain, film.shape, interpolation=cv2.INTER_CUBIC), dtype=cv2.CV_8U)


def detail(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Coarse structures held back, or brought out, against fine ones: the multi-scale processing of digital units."""
    side = film.shape[0]
    small = cv2.resize(film, (64, 64), interpolation=cv2.INTER_AREA)
    coarse = cv2.resize(cv2.GaussianBlur(small, (0, 0), rng.uniform(1.5, 6)), (side, side))
    amount = rng.uniform(-0.4, 1.2)
    return cv2.addWeighted(film, 1 + amount, coarse, -amount, amount * rng.uniform(0, 64))


def frame(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Borders of 2 to 10 % painted black, white or grey on one to four sides: hides the collection's frame."""
    film = film.copy()
    level = _level(rng)
    for turns in range(4):
        if rng.random() < 0.6:
            width = int(rng.uniform(0.02, 0.10) * film.shape[0])
            np.rot90(film, turns)[:width] = level
    return film


def corners(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Boxes over corners and edges, where letters and markers stand."""
    film = film.copy()
    side = film.shape[0]
    for _ in range(int(rng.integers(1, 5))):
        height, width = (rng.uniform(0.05, 0.22, 2) * side).astype(int)
        top = int(rng.choice([0, side - height])) if rng.random() < 0.7 else int(rng.integers(0, side - height))
        left = int(rng.choice([0, side - width]))
        film[top : top + height, left : left + width] = _level(rng)
    return film


def letters(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Side letters and arbitrary text near the edges: letters must mean nothing."""
    film = film.copy()
    side = film.shape[0]
    for _ in range(int(rng.integers(1, 4))):
        text = "".join(rng.choice(list("LRAPSDJTB0123456789"), int(rng.integers(1, 6))))
        place = rng.uniform(0, 0.9, 2) * side
        place[int(rng.integers(2))] = rng.choice([0.06, 0.95]) * side
        font, scale = int(rng.choice([0, 2, 3, 4])), rng.uniform(0.3, 1.0) * side / 192
        cv2.putText(film, text, place.astype(int).tolist(), font, scale, int(rng.integers(150, 256)), 1, cv2.LINE_AA)
    return film


def telephone(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture of the film on a light box or a screen, taken in haste."""
    return photograph(film, hasty(rng), rng)


TRANSFORMS: dict[str, Transform] = {
    transform.__name__: transform
    for transform in (
        equalise,
        tone,
        curve,
        shade,
        uneven,
        detail,
        telephone,
        resample,
        blur,
        sharpen,
        noise,
        compress,
        letters,
        corners,
        frame,
    )
}


def degrade(film: np.ndarray, probabilities: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    """Each transform named in `probabilities` with its probability, in the fixed order of TRANSFORMS."""
    for name, transform in TRANSFORMS.items():
        if rng.random() < probabilities.get(name, 0.0):
            film = transform(film, rng)
    return film


def borrow_tone(film: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """Grey levels of another film: histogram matching, mixed with the film's own levels.

    film, other: uint8 (h, w), of any two sizes. share: 0 (own levels) to 1 (those of the other film).
    """
    counts = [np.bincount(pixels.ravel(), minlength=256) / pixels.size for pixels in (film, other)]
    own, its = (np.cumsum(count) - count / 2 for count in counts)
    matched = np.interp(own, its[counts[1] > 0], np.nonzero(counts[1])[0])
    return cv2.LUT(film, (share * matched + (1 - share) * np.arange(256) + 0.5).astype(np.uint8))


def borrow_grain(film: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """Sharpness and grain of another film: the amplitudes of its spectrum, averaged over directions.

    film, other: uint8 (side, side), of one size. share: 0 (own amplitudes) to 1 (those of the other film). The lowest
    frequencies, which carry what the film shows, stay. After amplitude mixing (Yang & Soatto, FDA, CVPR 2020).
    """
    side = film.shape[0]
    radius = _radius(side)
    spectrum = fft.rfft2(film.astype(np.float32))
    own, its = (
        np.bincount(radius.ravel(), np.abs(amplitudes).ravel(), side + 1)
        for amplitudes in (spectrum, fft.rfft2(other.astype(np.float32)))
    )
    gain = np.clip((its + 1) / (own + 1), 0.2, 4) ** share
    gain[: side // 16] = 1
    return np.clip(fft.irfft2(spectrum * gain[radius].astype(np.float32), film.shape) + 0.5, 0, 255).astype(np.uint8)


@cache
def _radius(side: int) -> np.ndarray:
    """int (side, side // 2 + 1): frequency of each entry of a real spectrum, in cycles a side."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]) * side
    return np.minimum(frequency.round().astype(int), side)


def _level(rng: np.random.Generator) -> int:
    return int(rng.choice([0, 0, 255, int(rng.integers(30, 220))]))
