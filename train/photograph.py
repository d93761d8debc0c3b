"""A film -> the picture that a telephone takes of it on a light box or a screen."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Shot:
    """How a picture of a film is taken.

    fill: side of the film as a share of the picture's; above 1 the film's edges are cut off. tilt: how far each corner
    may be off, as a share of the picture's side. turn: degrees. glare: grey levels that a reflection adds at its
    brightest. moire: share by which the grids of screen and camera raise and lower the levels. surround: grey level of
    what lies around the film.
    """

    fill: float = 1.0
    tilt: float = 0.0
    turn: float = 0.0
    glare: float = 0.0
    moire: float = 0.0
    surround: int = 30


def careful(rng: np.random.Generator) -> Shot:
    """Straight, close, hardly a reflection: the film is as good as whole."""
    return _at_most(rng, distance=0.06, tilt=0.025, turn=3, glare=45, moire=0.04)


def hasty(rng: np.random.Generator) -> Shot:
    """Worse than careful, and still of use to a reader: a reflection, stripes, a camera held a little askew."""
    return _at_most(rng, distance=0.12, tilt=0.07, turn=6, glare=180, moire=0.15)


def careless(rng: np.random.Generator) -> Shot:
    """From too far or too slanting, or with a reflection or stripes that hide much of the film."""
    fault = rng.choice(["far", "slanting", "glare", "moire"], p=[0.45, 0.25, 0.2, 0.1])
    return Shot(
        fill=rng.uniform(0.4, 0.72) if fault == "far" else rng.uniform(0.72, 0.95),
        tilt=rng.uniform(0.1, 0.18) if fault == "slanting" else rng.uniform(0, 0.06),
        turn=rng.uniform(-12, 12),
        glare=rng.uniform(150, 300) if fault == "glare" else rng.choice([0, rng.uniform(0, 80)]),
        moire=rng.uniform(0.15, 0.35) if fault == "moire" else rng.choice([0, rng.uniform(0, 0.06)]),
        surround=_surround(rng),
    )


def _at_most(rng: np.random.Generator, distance: float, tilt: float, turn: float, glare: float, moire: float) -> Shot:
    """No fault above its limit; half of the pictures without a reflection, and half without stripes."""
    return Shot(
        fill=rng.uniform(1 - distance, 1.04),
        tilt=rng.uniform(0, tilt),
        turn=rng.uniform(-turn, turn),
        glare=rng.choice([0, rng.uniform(0, glare)]),
        moire=rng.choice([0, rng.uniform(0, moire)]),
        surround=_surround(rng),
    )


def photograph(film: np.ndarray, shot: Shot, rng: np.random.Generator) -> np.ndarray:
    """uint8 (h, w) -> uint8 (h, w): perspective, surroundings, falling light, reflection, moiré, noise."""
    height, width = film.shape
    picture = _placed(film, shot, rng)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    picture *= 1 - rng.uniform(0.05, 0.2) * ((x - rng.uniform(-0.4, 0.4)) ** 2 + (y - rng.uniform(-0.4, 0.4)) ** 2)
    if shot.moire:
        picture *= 1 + shot.moire * _moire(x, y, rng)
    if shot.glare:
        picture += shot.glare * _glare(x, y, rng)
    picture += rng.normal(0, rng.uniform(1, 4), picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _placed(film: np.ndarray, shot: Shot, rng: np.random.Generator) -> np.ndarray:
    """The film in its surroundings, float32."""
    height, width = film.shape
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * shot.fill
    angle = np.deg2rad(shot.turn)
    corners = corners @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners += 2 * shot.tilt * rng.uniform(-1, 1, (4, 2))
    corners += rng.uniform(-0.5, 0.5, 2) * max(0.0, 1 - shot.fill)
    target = ((corners + 1) / 2 * [width, height]).astype(np.float32)
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, target)
    inside = cv2.warpPerspective(np.ones_like(film), matrix, (width, height))
    placed = cv2.warpPerspective(film, matrix, (width, height)).astype(np.float32)
    coarse = rng.normal(shot.surround, 12, (6, 6)).astype(np.float32)
    return np.where(inside > 0, placed, cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


def _moire(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """-1 to 1: two fine grids that are nearly alike, and bent a little against each other."""
    angle, pitch = rng.uniform(0, np.pi), rng.uniform(40, 90)
    along = x * np.cos(angle) + y * np.sin(angle)
    bend = rng.uniform(0, 0.04) * (x**2 + y**2)
    return np.sin(pitch * np.pi * along) * np.sin(pitch * np.pi * (along * rng.uniform(1.02, 1.1) + bend))


def _glare(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """0 to 1: a lamp or a window that the film reflects."""
    centre, size, angle = rng.uniform(-0.6, 0.6, 2), rng.uniform(0.15, 0.5, 2), rng.uniform(0, np.pi)
    across, along = x - centre[0], y - centre[1]
    turned = across * np.cos(angle) + along * np.sin(angle), along * np.cos(angle) - across * np.sin(angle)
    return np.exp(-((turned[0] / size[0]) ** 2) - (turned[1] / size[1]) ** 2)


def _surround(rng: np.random.Generator) -> int:
    """A light box, a dark room, or the wall."""
    return int(rng.choice([rng.uniform(200, 255), rng.uniform(5, 50), rng.uniform(60, 190)]))
