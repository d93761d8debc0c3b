"""The lungs on prepared films, as the segmenter of `python -m train segment` finds them."""

import logging
from pathlib import Path

import numpy as np

from lungcare.bundle import LUNGS, MODELS
from lungcare.lungs import SIDE
from lungcare.network import compiled
from train.pack import open_pack
from train.segment import find
from train.split import Placed

log = logging.getLogger(__name__)

SEGMENTER = Path("runs/lungs")
PUBLISHED = MODELS / "lungcare"


def lungs_on(prepared: Path, films: list[Placed], segmenter: Path = PUBLISHED) -> np.ndarray | None:
    """Where each film is lung: bool (n, 128, 128) on its square.

    segmenter: run of `python -m train segment`; without one in it, the published one finds them. None without either.
    """
    file = next((path for folder in (segmenter, PUBLISHED) if (path := folder / LUNGS).is_file()), None)
    if file is None:
        log.warning("neither %s nor %s holds a segmenter: what needs the lungs is left out", segmenter, PUBLISHED)
        return None
    pack, rows = open_pack(prepared)
    network = compiled(file, SIDE, SIDE, SIDE, 1)
    return np.stack(list(find(network, pack[[rows[p.film.file] for p in films]]))) > 0.5
