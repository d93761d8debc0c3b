"""The lungs on prepared films, as the segmenter of `python -m train segment` finds them."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from lungcare.bundle import LUNGS, MODELS
from lungcare.lungs import SIDE, find_lungs
from train.manifest import DataError
from train.pack import PackedLungs, open_lungs, open_pack
from train.split import Placed

log = logging.getLogger(__name__)

SEGMENTER = Path("runs/lungs")
PUBLISHED = MODELS / "lungcare"
_PIECE = 256


def packed_lungs(prepared: Path) -> PackedLungs:
    """Where the lungs lie on every packed film. Where nobody has looked for them, the published segmenter does, once.

    Raises DataError when nobody has, and there is none.
    """
    pack, _ = open_pack(prepared)
    lungs = open_lungs(prepared, len(pack))
    if lungs:
        return lungs
    network = _segmenter(PUBLISHED)
    if network is None:
        raise DataError(f"Nobody has looked for the lungs of {prepared}. Run `python -m train segment` first.")
    log.info("the published segmenter looks for the lungs of %d films", len(pack))
    lungs = PackedLungs.of(find(network, pack))
    lungs.save(prepared)
    return lungs


def lungs_on(prepared: Path, films: list[Placed], segmenter: Path = PUBLISHED) -> np.ndarray | None:
    """Where each film is lung: bool (n, 128, 128) on its square.

    segmenter: run of `python -m train segment`; without one in it, the published one finds them. None without either.
    """
    network = _segmenter(segmenter) or _segmenter(PUBLISHED)
    if network is None:
        log.warning("neither %s nor %s holds a segmenter: what needs the lungs is left out", segmenter, PUBLISHED)
        return None
    pack, rows = open_pack(prepared)
    return np.stack(list(find(network, pack[[rows[p.film.file] for p in films]]))) > 0.5


def find(network: Callable[[np.ndarray], np.ndarray], pack: np.ndarray) -> Iterator[np.ndarray]:
    """Lungs on packed films, uint8 (n, side, side): float32 (128, 128) of each, the probability to be lung.

    network: its call, as `lungcare.lungs.find_lungs` takes it.
    """
    for start in range(0, len(pack), _PIECE):
        yield from find_lungs(network, pack[start : start + _PIECE])


def _segmenter(folder: Path) -> Callable[[np.ndarray], np.ndarray] | None:
    file = folder / LUNGS
    if not file.is_file():
        return None
    from lungcare.network import compiled  # late: it imports Keras, which those who only make batches go without

    return compiled(file, SIDE, SIDE, SIDE, 1)
