"""The lungs on prepared films, as the segmenter of `python -m train segment` finds them."""

import logging
from pathlib import Path

import keras
import numpy as np

from train.pack import open_pack
from train.segment import NETWORK, find
from train.split import Placed

log = logging.getLogger(__name__)

SEGMENTER = Path("runs/lungs")


def lungs_on(prepared: Path, films: list[Placed], segmenter: Path) -> np.ndarray | None:
    """Where each film is lung: bool (n, 128, 128) on its square; None where there is no segmenter."""
    if not (segmenter / NETWORK).is_file():
        log.warning("%s holds no segmenter of the lungs: what needs one is left out", segmenter)
        return None
    pack, rows = open_pack(prepared)
    network = keras.models.load_model(segmenter / NETWORK, compile=False)
    return np.stack(list(find(network, pack[[rows[p.film.file] for p in films]]))) > 0.5
