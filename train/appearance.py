"""How the films of a class look, learned from the training part: an active appearance model.

After Cootes, Edwards & Taylor, IEEE PAMI 2001: the outlines of the lungs by principal components, and the grey levels
of films whose lungs were warped onto the mean outlines by principal components too. A film is drawn from the Gaussian
of the strongest components.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lungcare.film import decode
from train.lungs import packed_lungs
from train.manifest import Film
from train.outlines import landmarks, warp
from train.pack import open_pack

SIDE = 352
# The frame around the mean lungs, in their width and height.
_WIDE, _HIGH = 1.24, 1.27
# Films that fill less of the frame, or are black over more of it, are left out.
_MOST_OUTSIDE, _MOST_BLACK, _BLACK = 0.06, 0.12, 0.02
_SHAPES = 20
_STEP = 13
_MOST_DEVIATIONS = 1.8


@dataclass(frozen=True)
class Components:
    """A Gaussian by its strongest directions. mean: float32 (length,). axes: float32 (n, length), a deviation each."""

    mean: np.ndarray
    axes: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, count: int, step: int = 1) -> "Components":
        """The `count` strongest of float32 (films, length), found on every `step`-th column."""
        mean = rows.mean(axis=0)
        centred = rows - mean
        _, vectors = np.linalg.eigh(centred[:, ::step] @ centred[:, ::step].T)
        count = min(count, len(rows) - 1)
        chosen = vectors[:, ::-1][:, :count]
        return cls(mean, (chosen.T @ centred / np.sqrt(len(rows))).astype(np.float32))

    def draw(self, rng: np.random.Generator, breadth: float) -> np.ndarray:
        """One vector; no component lies farther out than 1.8 deviations. breadth: scale of the deviations."""
        weights = np.clip(rng.normal(size=len(self.axes)), -_MOST_DEVIATIONS, _MOST_DEVIATIONS)
        return self.mean + breadth * (weights @ self.axes).astype(np.float32)


@dataclass(frozen=True)
class Appearance:
    """What films of one class look like. frame: left, top and side of the frame in shares of a film's side.

    grey: over the square frame, each film with mean 0 and deviation 1. spectrum: mean power of the films at each radius
    of spatial frequency, float (SIDE // 2,), of the same levels.
    """

    mean_points: np.ndarray
    shape: Components
    grey: Components
    frame: tuple[float, float, float]
    spectrum: np.ndarray

    def save(self, path: Path) -> None:
        """Keep it as a .npz file."""
        unfinished = path.with_name(f"unfinished-{path.name}")
        np.savez(
            unfinished,
            mean_points=self.mean_points,
            shape_mean=self.shape.mean,
            shape_axes=self.shape.axes,
            grey_mean=self.grey.mean,
            grey_axes=self.grey.axes,
            frame=self.frame,
            spectrum=self.spectrum,
        )
        unfinished.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Appearance":
        """One that was saved."""
        with np.load(path) as kept:
            return cls(
                mean_points=kept["mean_points"],
                shape=Components(kept["shape_mean"], kept["shape_axes"]),
                grey=Components(kept["grey_mean"], kept["grey_axes"]),
                frame=tuple(kept["frame"].tolist()),
                spectrum=kept["spectrum"],
            )


def outlined(prepared: Path, films: list[Film]) -> dict[str, np.ndarray]:
    """The landmarks of every film on which both lungs were found, by the film's name."""
    _, rows = open_pack(prepared)
    lungs = packed_lungs(prepared)
    found = {film.file: landmarks(lungs.mask(rows[film.file])) for film in films}
    return {name: points for name, points in found.items() if points is not None}


def frame_of(points: np.ndarray) -> tuple[float, float, float]:
    """Left, top and side of the square frame around landmarks."""
    low, high = points.min(axis=0), points.max(axis=0)
    side = max((high - low)[0] * _WIDE, (high - low)[1] * _HIGH)
    left, top = (low + high) / 2 - side / 2
    return float(left), float(top), float(side)


def in_frame(points: np.ndarray, frame: tuple[float, float, float]) -> np.ndarray:
    """Places on a film, in shares of its side, in pixels of the frame."""
    left, top, side = frame
    return (points - np.array([left, top], np.float32)) / side * SIDE - 0.5


def aligned(data: Path, file: str, points: np.ndarray, mean_points: np.ndarray) -> np.ndarray | None:
    """A film with its lungs on the mean outlines, uint8 (SIDE, SIDE); None where it does not fill the frame."""
    pixels = decode((data / file).read_bytes()).pixels
    height, width = pixels.shape
    longest = max(height, width)
    left, top, side = frame_of(mean_points)
    source = warp(mean_points, points, np.array([left, top]), side, SIDE) * longest
    source -= np.array([(longest - width) / 2, (longest - height) / 2], np.float32) + np.float32(0.5)
    outside = (source < -1).any(axis=-1) | (source > (width, height)).any(axis=-1)
    if outside.mean() > _MOST_OUTSIDE:
        return None
    shrinks = longest * side / SIDE
    if shrinks > 1.2:
        pixels = cv2.GaussianBlur(pixels, (0, 0), 0.4 * shrinks)
    film = cv2.remap(pixels, source, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if (film < _BLACK).mean() > _MOST_BLACK:
        return None
    return (np.clip(film, 0, 1) * 255).astype(np.uint8)


def learn(films: np.ndarray, points: np.ndarray, mean_points: np.ndarray, components: int) -> Appearance:
    """The model of films uint8 (n, SIDE, SIDE) that are aligned, and of their landmarks float32 (n, 96, 2)."""
    rows = films.reshape(len(films), -1).astype(np.float32) / 255
    rows -= rows.mean(axis=1, keepdims=True)
    rows /= rows.std(axis=1, keepdims=True)
    power = np.mean([radial_power(row.reshape(SIDE, SIDE)) for row in rows[::16]], axis=0)
    return Appearance(
        mean_points=mean_points,
        shape=Components.of(_placed(points, mean_points).reshape(len(points), -1), _SHAPES),
        grey=Components.of(rows, components, _STEP),
        frame=frame_of(mean_points),
        spectrum=power,
    )


def drawn(model: Appearance, rng: np.random.Generator, breadth: float, shapes: float) -> tuple[np.ndarray, np.ndarray]:
    """A film on the mean outlines, float32 (SIDE, SIDE) with mean 0 and deviation 1, and the landmarks it is to get.

    breadth, shapes: scale of the deviations of grey levels, and of outlines.
    """
    grey = model.grey.draw(rng, breadth).reshape(SIDE, SIDE)
    return grey, model.shape.draw(rng, shapes).reshape(-1, 2)


def radial_power(film: np.ndarray) -> np.ndarray:
    """Mean power at each radius of spatial frequency, float (SIDE // 2,), under a window against the film's edges."""
    window = np.outer(np.hanning(SIDE), np.hanning(SIDE))
    power = np.abs(np.fft.fftshift(np.fft.fft2((film - film.mean()) * window))) ** 2
    y, x = np.indices(power.shape) - SIDE // 2
    radius = np.hypot(x, y).astype(int).ravel()
    sums = np.bincount(radius, power.ravel())
    return (sums / np.bincount(radius))[: SIDE // 2]


def _placed(points: np.ndarray, mean_points: np.ndarray) -> np.ndarray:
    """Landmarks brought to the mean's place and size, so that only shape is left."""
    centre, spread = mean_points.mean(axis=0), mean_points.std()
    own = points - points.mean(axis=1, keepdims=True)
    return own / own.std(axis=(1, 2), keepdims=True) * spread + centre
