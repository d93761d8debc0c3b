"""What the source of a training film alone says of its class."""

import numpy as np

from lungcare.conditions import CODES
from train.halves import ARCHIVE
from train.measure import is_child_of_kermany
from train.split import Placed


def unit(placed: Placed) -> str:
    """The apparatus and archive that a film came from, as far as its look tells it: films of one unit look alike.

    RSNA's challenge took its films from NIH's archive, and the normal films of tawsifur and of tawsifur_tbx11k are
    RSNA's; those of pakistan come from another machine than its tuberculosis; the children of mixed_normals are
    kermany's.
    """
    film = placed.film
    if is_child_of_kermany(placed):
        return "kermany"
    if film.source in ARCHIVE or (film.source in ("tawsifur", "tawsifur_tbx11k") and film.label == "normal"):
        return "nih"
    if film.source == "pakistan":
        return f"{film.source} {film.label}"
    return film.source


def priors(films: list[Placed], chances: np.ndarray, share: float) -> np.ndarray:
    """How often a film of each one's unit shows each class: float32 (n, classes).

    chances: how often each film is drawn. share: of what was counted; the rest is even over the classes. The rows of
    units that are drawn add up to 1.
    """
    units = np.array([unit(p) for p in films])
    labels = np.array([CODES.index(p.film.label) for p in films])
    found = np.empty((len(films), len(CODES)), np.float32)
    for name in np.unique(units):
        inside = units == name
        counted = np.bincount(labels[inside], chances[inside], len(CODES))
        found[inside] = share * counted / max(counted.sum(), 1e-12) + (1 - share) / len(CODES)
    return found
