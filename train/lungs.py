"""The lungs on prepared films, as the segmenter of `python -m train segment` finds them."""

import logging
from collections.abc import Callable
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


def finder(segmenter: Path = PUBLISHED) -> Callable[[np.ndarray], np.ndarray] | None:
    """The call of a segmenter, as `lungcare.lungs.find_lungs` takes it; None where there is none.

    segmenter: run of `python -m train segment`; without one in it, the published one finds the lungs.
    """
    file = next((path for folder in (segmenter, PUBLISHED) if (path := folder / LUNGS).is_file()), None)
    return compiled(file, SIDE, SIDE, SIDE, 1) if file else None


def lungs_on(prepared: Path, films: list[Placed], segmenter: Path = PUBLISHED) -> np.ndarray | None:
    """Where each film is lung: bool (n, 128, 128) on its packed square. None where nothing finds the lungs.

    segmenter: as for `finder`.
    """
    network = finder(segmenter)
    if network is None:
        log.warning("neither %s nor %s holds a segmenter: what needs the lungs is left out", segmenter, PUBLISHED)
        return None
    pack, rows = open_pack(prepared)
    return np.stack(list(find(network, pack[[rows[p.film.file] for p in films]]))) > 0.5
