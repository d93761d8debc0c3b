"""The lungs on prepared films, as the segmenter of `python -m train segment` finds them."""

import logging
from pathlib import Path

import numpy as np

from lungcare.bundle import LUNGS
from lungcare.lungs import SIDE
from lungcare.network import compiled
from train.pack import open_pack
from train.segment import find
from train.split import Placed

log = logging.getLogger(__name__)

SEGMENTER = Path("runs/lungs")


def lungs_on(prepared: Path, films: list[Placed], segmenter: Path) -> np.ndarray | None:
    """Where each film is lung: bool (n, 128, 128) on its square; None where there is no segmenter."""
    if not (segmenter / LUNGS).is_file():
        log.warning("%s holds no segmenter of the lungs: what needs one is left out", segmenter)
        return None
    pack, rows = open_pack(prepared)
    network = compiled(segmenter / LUNGS, SIDE, SIDE, SIDE, 1)
    return np.stack(list(find(network, pack[[rows[p.film.file] for p in films]]))) > 0.5
