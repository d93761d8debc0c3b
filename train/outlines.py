"""Lungs on a film -> landmarks along their outlines, and the smooth warp from one film's to another's."""

import cv2
import numpy as np
from scipy import ndimage
from scipy.interpolate import RBFInterpolator

# Landmarks on each side of each lung, from its apex to the costophrenic angle.
HEIGHTS = 24
# Smaller lungs, in pixels of the 128 px mask, and lungs more unlike, are taken for a failure of the segmenter.
_SMALLEST, _MOST_UNLIKE, _LOWEST = 500, 0.45, 40
_MOST_ASKEW = 0.12
# The warp is calculated on a grid of so many places a side, and is smooth between them.
_GRID = 29
_SMOOTHING = 1e-3


def landmarks(mask: np.ndarray) -> np.ndarray | None:
    """Points at even heights along both edges of both lungs, in shares of the film's side: float32 (96, 2), x and y.

    mask: uint8 (128, 128), 1 where the squared film is lung. None where it does not show two whole lungs.
    """
    parts, count = ndimage.label(ndimage.binary_opening(mask > 0))
    if count < 2:
        return None
    areas = np.bincount(parts.ravel())[1:]
    first, second = np.argsort(areas)[::-1][:2]
    if areas[second] < max(_SMALLEST, _MOST_UNLIKE * areas[first]):
        return None
    lungs = sorted((parts == part + 1 for part in (first, second)), key=lambda lung: np.nonzero(lung)[1].mean())
    edges = [_edges(ndimage.binary_fill_holes(lung)) for lung in lungs]
    if any(edge is None for edge in edges):
        return None
    points = np.concatenate(edges).astype(np.float32) / len(mask)
    right, left = points[HEIGHTS : 2 * HEIGHTS], points[2 * HEIGHTS : 3 * HEIGHTS]
    is_level = abs(points[0, 1] - left[0, 1]) <= _MOST_ASKEW
    return points if is_level and (left[:, 0] > right[:, 0]).all() else None


def _edges(lung: np.ndarray) -> np.ndarray | None:
    """The outer and inner edge of one lung, float (48, 2) in pixels; None where it is too low."""
    rows = np.nonzero(lung.any(axis=1))[0]
    top, bottom = rows[0], rows[-1]
    if bottom - top < _LOWEST:
        return None
    every = np.arange(top, bottom + 1)
    heights = np.linspace(top, bottom, HEIGHTS)
    columns = [np.nonzero(lung[row])[0] for row in every if lung[row].any()]
    every = every[lung[every].any(axis=1)]
    sides = []
    for edge in ([c[0] for c in columns], [c[-1] + 1 for c in columns]):
        smooth = ndimage.gaussian_filter1d(np.array(edge, float), 1.5)
        sides.append(np.stack([np.interp(heights, every, smooth), heights], axis=1))
    return np.concatenate(sides)


def warp(from_points: np.ndarray, to_points: np.ndarray, corner: np.ndarray, side: float, size: int) -> np.ndarray:
    """Where each pixel of a frame comes from: float32 (size, size, 2), x and y in the units of `to_points`.

    A thin-plate spline (Bookstein, IEEE PAMI 1989) that brings `from_points` onto `to_points`. corner, side: the frame,
    in the units of `from_points`.
    """
    places = np.linspace(0, 1, _GRID)
    grid = np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2) * side + corner
    spline = RBFInterpolator(from_points[::2], to_points[::2], kernel="thin_plate_spline", smoothing=_SMOOTHING)
    coarse = spline(grid).reshape(_GRID, _GRID, 2).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
